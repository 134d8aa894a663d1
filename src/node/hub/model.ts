import { join } from 'node:path'
import { checkArguments, someHooks } from '../../base/arguments.ts'
import { FileError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { FORMAT_FILES, PROCESSOR_FILES, readClipConfig, shardsOf } from '../../clip/load.ts'
import { folderModelFiles, readText } from '../files.ts'
import {
  cachedCommit,
  cachedFiles,
  knownAbsent,
  noteAbsent,
  noteCommit,
  removeDamaged,
  snapshotFolder,
} from './cache.ts'
import { HubError } from './errors.ts'
import { localFiles } from './file.ts'
import { type HubListing, notCached, remoteListing } from './listing.ts'
import { fileMetadata, type Patience } from './metadata.ts'
import { aRepo, type HubRepo, isCommit, repoName } from './repo.ts'
import { type HubSettings, hubSettings } from './settings.ts'

/** A model of the hub on this disk. */
export interface HubModel {
  /** Its files, those that a CLIP is loaded from among them. */
  readonly folder: string
  /** The repository at the commit that the files are of. */
  readonly repo: HubRepo
}

const TOKENIZERS = [['vocab.json', 'merges.txt'], ['tokenizer.json']] as const
/** Files that may have more tokens than a vocabulary. */
const ADDED_TOKENS = ['tokenizer.json', 'added_tokens.json'] as const
const INDEX = '.index.json'

/**
 * A CLIP of the hub, fetched unless the cache has it: configuration, tokenizer and one set of weights, nothing else.
 * With a model in the cache and no way to the hub, the one in the cache is taken, with a warning.
 *
 * Throws HubError when it cannot be had, FileError when it is no CLIP or the cache cannot be written.
 */
export async function hubModel(repo: HubRepo, hooks: Hooks = {}, hub?: HubSettings): Promise<HubModel> {
  checkArguments('hubModel', { repo, hooks }, { repo: aRepo, hooks: someHooks })
  const settings = hub ?? (await hubSettings())
  const commit = await cachedCommit(settings, repo)
  const cached = commit === undefined ? undefined : await cachedModel(settings, repo, commit, hooks)
  if (cached?.isWhole && (settings.offline || (isCommit(repo.revision) && cached.isSure))) return cached
  if (settings.offline) throw notCached(settings, repo, cached?.missing)
  try {
    const listing = await findFiles(settings, repo, hooks, { once: cached?.isWhole === true })
    return await fetchModel(settings, repo, listing, hooks)
  } catch (error) {
    if (!cached?.isWhole || !(error instanceof HubError) || error.fault === 'no-revision') throw error
    hooks.onWarning?.(`${error.message}; using the cached ${repoName(repo)}`)
    return cached
  }
}

/** A CLIP of the hub that the cache holds, at the commit that its revision last stood for; the hub is not asked. */
export async function cachedHubModel(repo: HubRepo, hub?: HubSettings): Promise<HubModel | undefined> {
  const settings = hub ?? (await hubSettings())
  const commit = await cachedCommit(settings, repo)
  const cached = commit === undefined ? undefined : await cachedModel(settings, repo, commit, {})
  return cached?.isWhole ? cached : undefined
}

interface CachedModel extends HubModel {
  /** Configuration and weights are there. */
  readonly isWhole: boolean
  /** All is there that the repository could have of use. */
  readonly isSure: boolean
  readonly missing: readonly string[]
}

/** Names of the cached files of a commit; those of its model that are damaged are removed first. */
async function soundFiles(hub: HubSettings, repo: HubRepo, commit: string, hooks: Hooks): Promise<Set<string>> {
  const names = new Set(await cachedFiles(hub, repo, commit))
  for (;;) {
    const { weights = '' } = formatOf(names) ?? {}
    // every configuration: where its weights are gone, they are fetched for it
    const used = [
      ...FORMAT_FILES.map(({ config }) => config),
      ...PROCESSOR_FILES,
      ...TOKENIZERS.flat(),
      ...ADDED_TOKENS,
      weights,
    ]
    const damagedOf = (files: readonly string[]) =>
      removeDamaged(
        hub,
        repo,
        commit,
        files.filter((file) => names.has(file)),
      )
    const damaged = await damagedOf(used)
    if (damaged.length === 0 && weights.endsWith(INDEX)) {
      const index = await readText(join(snapshotFolder(hub, repo, commit), weights))
      damaged.push(...(await damagedOf(shardsOf(index, weights))))
    }
    if (damaged.length === 0) return names
    for (const file of damaged) {
      names.delete(file)
      hooks.onWarning?.(`${file} of ${repoName(repo)} was damaged in the cache, and was removed from it`)
    }
  }
}

async function cachedModel(hub: HubSettings, repo: HubRepo, commit: string, hooks: Hooks): Promise<CachedModel> {
  const folder = snapshotFolder(hub, repo, commit)
  const names = await soundFiles(hub, repo, commit, hooks)
  const format = formatOf(names)
  const shards = format?.weights.endsWith(INDEX)
    ? shardsOf(await readText(join(folder, format.weights)), format.weights)
    : []
  const missing =
    format === undefined ? ['a configuration with its weights'] : shards.filter((shard) => !names.has(shard))
  const isWhole = missing.length === 0
  const tokens = tokenizerOf(names).includes('vocab.json') && !names.has('tokenizer.json') ? ADDED_TOKENS : []
  const wanted = [...(format?.config === 'config.json' ? PROCESSOR_FILES : []), ...tokens]
  const unsure = wanted.filter((file) => !names.has(file))
  const absent = await Promise.all(unsure.map((file) => knownAbsent(hub, repo, commit, file)))
  const isSure = isWhole && tokenizerOf(names).length > 0 && absent.every(Boolean)
  return { folder, repo: { ...repo, revision: commit }, isWhole, isSure, missing }
}

async function fetchModel(hub: HubSettings, repo: HubRepo, listing: HubListing, hooks: Hooks): Promise<HubModel> {
  const pinned = listing.repo
  const cached = await cachedModel(hub, repo, pinned.revision, hooks)
  if (cached.isSure) return cached
  const names = new Set(listing.files.map(({ path }) => path))
  // weights and a tokenizer that are here already are not fetched in another format
  const here = new Set(await cachedFiles(hub, repo, pinned.revision))
  const format = formatOf(here) ?? formatOf(names)
  if (format === undefined) throw noModel(repo, names)
  for (const file of [...PROCESSOR_FILES, ...ADDED_TOKENS]) {
    if (!names.has(file)) await noteAbsent(hub, repo, pinned.revision, file)
  }

  const fetch = (files: readonly string[]) => localFiles(pinned, files, hooks, hub)
  const vocabulary = tokenizerOf(here).length > 0 ? tokenizerOf(here) : tokenizerOf(names)
  const tokenizer = vocabulary.length > 0 ? new Set([...vocabulary, ...ADDED_TOKENS]) : []
  // first what tells whether this is a CLIP at all
  await fetch([format.config, ...PROCESSOR_FILES, ...tokenizer].filter((file) => names.has(file)))
  const folder = snapshotFolder(hub, repo, pinned.revision)
  await readClipConfig(folderModelFiles(folder), format.config)
  const [weights = ''] = await fetch([format.weights])
  if (format.weights.endsWith(INDEX)) await fetch(shardsOf(await readText(weights), weights))
  return { folder, repo: pinned }
}

interface Chosen {
  readonly config: string
  readonly weights: string
}

/** The format to load, among files of these names: safetensors of any format before what else can be read. */
function formatOf(names: ReadonlySet<string>): Chosen | undefined {
  const formats = FORMAT_FILES.filter(({ config }) => names.has(config)).flatMap(({ config, weights }) =>
    weights.filter((file) => names.has(file)).map((file) => ({ config, weights: file })),
  )
  return formats.find(({ weights }) => weights.includes('.safetensors')) ?? formats[0]
}

/** None where the repository has no tokenizer: loading says what to do. */
function tokenizerOf(names: ReadonlySet<string>): readonly string[] {
  return TOKENIZERS.find((files) => files.every((file) => names.has(file))) ?? []
}

/** The repository's files as the hub's API lists them; of a mirror without one, those that a CLIP could need. */
async function findFiles(hub: HubSettings, repo: HubRepo, hooks: Hooks, patience: Patience): Promise<HubListing> {
  try {
    return await remoteListing(hub, repo, hooks, patience)
  } catch (error) {
    if (!(error instanceof HubError) || !['no-repository', 'not-a-hub'].includes(error.fault)) throw error
    const listing = await tryNames(hub, repo, hooks, patience)
    if (listing === undefined) throw error
    return listing
  }
}

async function tryNames(
  hub: HubSettings,
  repo: HubRepo,
  hooks: Hooks,
  patience: Patience,
): Promise<HubListing | undefined> {
  const names = [
    ...FORMAT_FILES.flatMap(({ config, weights }) => [config, ...weights]),
    ...PROCESSOR_FILES,
    ...new Set([...TOKENIZERS.flat(), ...ADDED_TOKENS]),
  ]
  const answers = await Promise.all(
    names.map((name) =>
      fileMetadata(hub, repo, name, hooks, patience).catch((error: unknown) => {
        if (error instanceof HubError && error.fault === 'no-file') return undefined
        throw error
      }),
    ),
  )
  const found = answers.flatMap((answer) => answer ?? [])
  const commit = found[0]?.commit
  if (commit === undefined) return undefined
  await noteCommit(hub, repo, commit)
  return { repo: { ...repo, revision: commit }, files: found.map(({ file }) => ({ path: file })), complete: false }
}

const OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|msgpack|h5|onnx)$/

function noModel(repo: HubRepo, names: ReadonlySet<string>): FileError {
  const others = [...names].filter((name) => OTHER_WEIGHTS.test(name))
  const hasConfig = FORMAT_FILES.some(({ config }) => names.has(config))
  if (hasConfig && others.length > 0) {
    return new FileError(
      `${repoName(repo)} on the hub has its weights only as ${others.slice(0, 4).join(', ')}, which coop-ts cannot read`,
      `see whether a pull request on the hub adds safetensors (the model (--model) ${repo.id}@refs/pr/N), or convert them with Python: CLIPModel.from_pretrained(${JSON.stringify(repo.id)}).save_pretrained(FOLDER), with its tokenizer in the same folder`,
    )
  }
  const wanted = FORMAT_FILES.map(({ config, weights }) => `${config} with ${weights.join(' or ')}`).join(', or ')
  return new FileError(
    `${repoName(repo)} on the hub contains no CLIP model: looked for ${wanted}`,
    'use a CLIP in the Hugging Face or OpenCLIP format, such as openai/clip-vit-base-patch32',
  )
}
