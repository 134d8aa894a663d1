import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { anObject, aText, checkArguments, someHooks } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { nearestWord } from '../base/spelling.ts'
import { type Dataset, givenFrom, seenBy } from '../data/items.ts'
import { readText, statIfThere } from '../node/files.ts'
import {
  HubError,
  type HubListing,
  type HubRepo,
  hubFile,
  hubFiles,
  localFiles,
  parseHubId,
} from '../node/hub/index.ts'
import { listFolder } from '../node/list-folder.ts'
import { exists } from '../node/run-folder.ts'
import type { Exif } from '../pictures/picture.ts'
import { hasFeatures, readFeatures } from './features-file.ts'
import { readImageFolder } from './folder.ts'
import { isImageName } from './image-names.ts'
import { LIST_EXTENSIONS } from './list-file.ts'
import { type ListOptions, readImageList } from './lists.ts'
import { defaultRoot, openOfficialDataset } from './official/open.ts'
import { findOfficialDataset, OFFICIAL_DATASETS } from './official/table.ts'
import { type DatasetCard, NO_CARD, readCard } from './parquet/card.ts'
import { readParquet } from './parquet/index.ts'
import { chooseParts, splitOfPath } from './parquet/parts.ts'

/** Options of any data set; each kind takes what it needs. */
export interface OpenOptions extends ListOptions {
  /** Folder above the official data sets (default: $COOP_DATA, or the current one). */
  readonly root?: string
  /** Where images of parquet files are unpacked to. */
  readonly cache: string
  /** Whether pictures are turned as their EXIF says; default: all but those of the paper's data sets. */
  readonly exif?: Exif
}

const HUB = 'hf:'
const README = 'README.md'

/**
 * Opens a data set by one word, the first of these that it is:
 *
 * 1. `hf:owner/name[@revision][:configuration]`: parquet files of a data set on the Hugging Face hub;
 * 2. the id or another name of one of the paper's data sets, below `root`;
 * 3. a file: a list (`.csv`, `.tsv`, `.jsonl`) or `.parquet`, of pictures or of features, or `.npy` or `.safetensors` of features;
 * 4. a folder of parquet files, or a folder of images for each class.
 *
 * The order of classes and items is that of the kind: of the split file, of `datasetOfRows`, of `readImageFolder`.
 *
 * @throws FileError that says what was tried if it is none of them, and for what is missing or damaged
 */
export async function openDataset(what: string, options: OpenOptions, hooks: Hooks = {}): Promise<Dataset> {
  checkArguments('openDataset', { what, options, hooks }, { what: aText, options: anObject, hooks: someHooks })
  const own = what.startsWith(HUB) || findOfficialDataset(what) === undefined
  const dataset = await openAny(what, options, hooks)
  const given = givenFrom([...dataset.train, ...dataset.test])
  return seenBy(given?.exif ?? options.exif ?? (own ? 'turn' : 'ignore'), dataset)
}

async function openAny(what: string, options: OpenOptions, hooks: Hooks): Promise<Dataset> {
  if (what.startsWith(HUB)) return openHubDataset(what, options, hooks)
  const found = await statIfThere(what)
  const official = findOfficialDataset(what)
  if (official) {
    if (found?.isDirectory() && resolve(what) !== resolve(options.root ?? defaultRoot(), official.folder)) {
      hooks.onWarning?.(`${what} means the paper's data set; for the folder of that name write .${sep}${what}`)
    }
    return openOfficialDataset(official.id, options.root ?? defaultRoot(), hooks)
  }
  if (found === undefined) throw nothingOf(what)
  return found.isDirectory() ? openFolder(what, options, hooks) : openFile(what, options, hooks)
}

function nothingOf(what: string): FileError {
  const ids = OFFICIAL_DATASETS.map(({ id }) => id)
  const meant = nearestWord(what, ids)
  const hub = parseHubId(what, 'dataset') === undefined ? 'hf:owner/name' : `hf:${what}`
  return new FileError(
    `${what}: no such folder or file, and not a data set of the paper` +
      (meant === undefined ? '' : ` (did you mean ${meant}?)`),
    'give a folder with a folder of pictures for each class, a list (.csv, .tsv, .jsonl), a .parquet file or a folder of ' +
      `them, ${hub} for a data set on the Hugging Face hub, or one of ${ids.join(', ')}`,
  )
}

async function openFile(file: string, options: OpenOptions, hooks: Hooks): Promise<Dataset> {
  const extension = extname(file).toLowerCase()
  if (await hasFeatures(file)) return readFeatures(file, options, hooks)
  if (LIST_EXTENSIONS.includes(extension)) return readImageList(file, options, hooks)
  if (extension === '.parquet') {
    const root = dirname(file)
    const about = {
      name: basename(file, extname(file)),
      source: file,
      root,
      card: await cardIn(root, hooks),
      config: '',
    }
    return readParquet([{ file, split: splitOfPath(basename(file)) }], about, options, hooks)
  }
  throw new FileError(
    `${file} is neither a folder nor a list nor a parquet file`,
    `lists end in ${LIST_EXTENSIONS.join(', ')}, features in .npy or .safetensors; for pictures, give their folder`,
  )
}

async function openFolder(folder: string, options: OpenOptions, hooks: Hooks): Promise<Dataset> {
  const files = await parquetIn(folder)
  if (files.length === 0) return readImageFolder(folder, options, hooks)
  const card = await cardIn(folder, hooks)
  const chosen = chooseParts(folder, files, card, undefined)
  warnOfLeftOut(folder, chosen.leftOut, hooks)
  const sources = chosen.parts.map(({ path, split }) => ({ file: join(folder, path), split }))
  const about = { name: basename(resolve(folder)), source: folder, root: folder, card, config: chosen.config }
  return readParquet(sources, about, options, hooks)
}

/** Folders that deep are looked into for parquet files (`CONFIG/train/0000.parquet`, with one to spare). */
const DEPTH = 3

/**
 * Parquet files below a folder, `/` between folders; none where there are folders of images, which are an image folder.
 */
async function parquetIn(folder: string): Promise<string[]> {
  const files: string[] = []
  const visit = async (path: string, depth: number): Promise<boolean> => {
    const found = await listFolder(path)
    if (depth > 0 && found.files.some(isImageName)) return false
    for (const name of found.files.filter((name) => name.toLowerCase().endsWith('.parquet'))) {
      files.push(relative(folder, join(path, name)).replaceAll('\\', '/'))
    }
    for (const name of depth < DEPTH ? found.folders : []) {
      if (!(await visit(join(path, name), depth + 1))) return false
    }
    return true
  }
  return (await visit(folder, 0)) ? files.sort() : []
}

/** The card of a data set: README.md in its folder, or one above. */
async function cardIn(folder: string, hooks: Hooks): Promise<DatasetCard> {
  for (const readme of [join(folder, README), join(folder, '..', README)]) {
    if (await exists(readme)) return readCard(await readText(readme), readme, hooks)
  }
  return NO_CARD
}

async function openHubDataset(what: string, options: OpenOptions, hooks: Hooks): Promise<Dataset> {
  const [, id = '', config] = /^hf:(?:\/\/datasets\/)?([^:]*)(?::(.*))?$/s.exec(what) ?? []
  const asked = parseHubId(`hf-hub:${id}`, 'dataset')
  if (asked === undefined || config === '') {
    throw new UsageError(
      `${what} is not a data set on the hub`,
      'write hf:owner/name, hf:owner/name@REVISION or hf:owner/name:CONFIGURATION',
    )
  }
  const named = await hubFiles(asked, hooks)
  const hasParquet = named.files.some(({ path }) => path.toLowerCase().endsWith('.parquet'))
  const { repo, files } = hasParquet || id.includes('@') ? named : await convertedFiles(asked, what, hooks)
  const hasCard = named.files.some(({ path }) => path === README)
  const text = hasCard ? await readText(await hubFile(named.repo, README, hooks)) : ''
  const card = await readCard(text, `${what} (${README})`, hooks)
  const paths = files.map(({ path }) => path)
  // the card of a converted data set tells of the files before they were converted
  const chosen = chooseParts(what, paths, hasParquet ? card : { ...card, configs: [] }, config)
  warnOfLeftOut(what, chosen.leftOut, hooks)
  const local = await localFiles(
    repo,
    chosen.parts.map(({ path }) => path),
    hooks,
  )
  const sources = local.map((file, i) => ({ file, split: chosen.parts[i]?.split }))
  const root = dirname(local[0] ?? '')
  return readParquet(sources, { name: asked.id, source: what, root, card, config: chosen.config }, options, hooks)
}

/** The hub's own conversion of a data set that comes in another format. */
function convertedFiles(repo: HubRepo, what: string, hooks: Hooks): Promise<HubListing> {
  return hubFiles({ ...repo, revision: 'refs/convert/parquet' }, hooks).catch((cause: unknown) => {
    if (!(cause instanceof HubError) || cause.fault !== 'no-revision') throw cause
    const why = `${what} has no parquet files, and the hub has not converted it`
    throw new FileError(why, 'download it yourself, and give a folder of its images or a list', { cause })
  })
}

function warnOfLeftOut(what: string, splits: readonly string[], { onWarning }: Hooks): void {
  if (splits.length > 0) onWarning?.(`${what}: left out: ${splits.join(', ')} (not train, validation or test)`)
}
