import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { architectureOf } from '../clip/known-models.ts'
import { openDataset } from '../datasets/open.ts'
import { parseJson } from '../formats/json.ts'
import { readSchema } from '../formats/schema.ts'
import { coop } from '../methods/coop/index.ts'
import { readSettings } from '../methods/index.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { withClaim } from '../node/claim.ts'
import { fileSource, readText, statIfThere, writeFileAtomic } from '../node/files.ts'
import type { Transforms } from '../pictures/transforms.ts'
import { POSITIONS, type Position } from '../prompt/layout.ts'
import { readOfficialCheckpoint } from '../prompt/official-checkpoint.ts'
import { importPrompt, type NamesFrom } from '../prompt/official-import.ts'
import { writeLearned } from '../trained/learned.ts'
import type { DataOptions } from './dataset.ts'
import { environmentOf } from './environment.ts'
import { openModel } from './model.ts'
import { rememberedModel } from './model-word.ts'
import { beginRun, checkRunFolder, clearRun, finishRun, runFile } from './run-folder.ts'

export interface ImportOptions extends DataOptions {
  /** A word for the CLIP that the prompt was learned on, as --model takes it. */
  readonly model: string
  /** Folder of the run. */
  readonly out: string
  /** Where the class name stands; default: what the path of the file says. */
  readonly position?: Position
  /** A file with the class names. */
  readonly classes?: string
  /** A data set whose class names are meant. */
  readonly data?: string
  /** How pictures were cut when it was learned. */
  readonly transforms: Transforms
  readonly force: boolean
}

export interface ImportResult {
  readonly run: string
  readonly model: string
  readonly M: number
  readonly position: Position
  readonly classSpecific: boolean
  readonly classNames: readonly string[]
  /** How the class names are known. */
  readonly names: NamesFrom
  /** Words before each name, left of those that the context began from. */
  readonly before?: string
  /** Of the last epoch, where the file says it. */
  readonly epoch?: number
}

/**
 * Makes a run of a checkpoint of the official CoOp code, for coop-ts evaluate and coop-ts classify. Nothing in it is executed.
 * Throws FileError when it is something else, CoopError when it was learned on another model or on other classes.
 */
export async function importCheckpoint(file: string, options: ImportOptions, hooks: Hooks): Promise<ImportResult> {
  const { out, force } = options
  await checkRunFolder(out, { force })
  return withClaim(out, hooks, (hooks) => importClaimed(file, options, hooks))
}

async function importClaimed(file: string, options: ImportOptions, hooks: Hooks): Promise<ImportResult> {
  const { out, transforms } = options
  await checkFile(file)
  const position = options.position ?? positionOf(file)
  const checkpoint = await readOfficialCheckpoint(await fileSource(file))
  const given = await givenNames(options, hooks)
  const { clip, ...model } = await openModel(options.model, hooks)
  const { prompt, names } = importPrompt(clip, checkpoint, position, given)
  const { M, classSpecific, classNames, fixed } = prompt
  const before = fixed && clip.tokenizer.decode(fixed)
  if (names === 'given' && classSpecific) {
    hooks.onWarning?.(
      'the checkpoint does not say which classes it has: the given names are assigned to its contexts in this order',
    )
  }
  if (before !== undefined && names !== 'verified') {
    hooks.onWarning?.(
      `all classes of the checkpoint begin with ${JSON.stringify(before)}: this is taken for the rest of the words that the context ` +
        'began from, and stays before each name; if it belongs to the names, give them as classes (--classes) or data (--data)',
    )
  }
  if ((checkpoint.suffix?.shape[0] ?? classNames.length) === IMAGENET_CLASSES && transforms !== '2021-09') {
    hooks.onWarning?.(
      'the ImageNet prompts that the authors released belong to pictures preprocessed as in 2021-09: if this is one of them, import it with the transforms (--transforms) 2021-09',
    )
  }
  const { epoch } = checkpoint
  const settings = readSettings(coop, { M, position, classSpecific, fixed })
  const facts = { imported: basename(file), epoch }
  await clearRun(out)
  await beginRun(out, { method: coop.name, settings, model: clip.fingerprint, classNames, transforms, ...facts })
  const saved = {
    method: coop,
    settings,
    classNames,
    templates: DEFAULT_TEMPLATES,
    model: rememberedModel(model, out, clip.fingerprint),
    transforms,
    split: 'all' as const,
    tensors: new Map([['ctx', prompt.ctx]]),
  }
  await writeFileAtomic(runFile(out, 'learned'), await writeLearned(saved))
  // nothing has been measured: coop-ts evaluate does
  await finishRun(out, {
    id: basename(resolve(out)),
    dataset: options.data ?? basename(file),
    classes: classNames.length,
    split: 'all',
    method: coop.name,
    title: coop.title(settings),
    settings,
    shots: 0,
    seed: 0,
    model: { name: options.model, fingerprint: clip.fingerprint, architecture: architectureOf(clip.config) },
    transforms,
    views: 0,
    accuracy: null,
    zeroShot: null,
    elsewhere: {},
    facts,
    loss: null,
    collapsed: false,
    steps: 0,
    seconds: 0,
    environment: environmentOf({ device: 'cpu' }, {}),
  })
  return { run: out, model: model.path ?? model.name, M, position, classSpecific, classNames, names, before, epoch }
}

const IMAGENET_CLASSES = 1000
/** Bytes of a file that may be no more than a file's name. */
const MAX_NAME = 1000

async function checkFile(file: string): Promise<void> {
  const found = await statIfThere(file)
  if (found?.isDirectory())
    throw new FileError(`${file} is a folder`, 'give the file prompt_learner/model.pth.tar-N in it')
  // Dassl writes the name of its last checkpoint into a text file "checkpoint" beside it
  const text = found !== undefined && found.size <= MAX_NAME ? (await readText(file)).trim() : ''
  if (/^[^\0\n]*\.pth\.tar[^\0\n]*$/.test(text)) {
    throw new FileError(
      `${file} is a text file with the name of a checkpoint, ${JSON.stringify(text)}`,
      `give that file: ${join(dirname(file), basename(text))}`,
    )
  }
}

/** Folders of the official code's runs, such as `nctx16_cscFalse_ctpend`. */
const RUN_FOLDER = /nctx\d+_csc(?:True|False)_ctp([a-z]+)(?=[/\\])/

function positionOf(file: string): Position {
  const word = RUN_FOLDER.exec(resolve(file))?.[1]
  const position = POSITIONS.find((each) => each === word)
  if (position !== undefined) return position
  throw new UsageError(
    'a checkpoint does not say where the class name goes',
    'set the position (--position): end, middle or front (CLASS_TOKEN_POSITION of its training)',
  )
}

async function givenNames(options: ImportOptions, hooks: Hooks): Promise<readonly string[] | undefined> {
  const { classes, data, root, imageColumn, labelColumn } = options
  if (classes !== undefined && data !== undefined)
    throw new UsageError('class names are given twice', 'give either classes (--classes) or data (--data)')
  if (classes !== undefined) return readNames(classes)
  if (data === undefined) return undefined
  const cache = defaultCacheDir()
  return (await openDataset(data, { cache, root, imageColumn, labelColumn }, hooks)).classNames
}

const namesSchema = z.array(z.string().min(1)).min(1)

/** Class names in a file: a JSON list, or one a line. */
async function readNames(file: string): Promise<readonly string[]> {
  const text = await readText(file)
  if (/^\s*[[{]/.test(text)) return readSchema(namesSchema, parseJson(text, file), file)
  const names = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (names.length > 0) return names
  throw new FileError(`${file} has no class names`, 'write one per line, in the order of the labels')
}
