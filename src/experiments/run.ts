import { access, appendFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseJson } from '../clip/json.ts'
import { FileError, UsageError } from '../errors.ts'
import { hashOf } from '../node/content-hash.ts'
import { fileError, fileSource, readText, writeFileAtomic } from '../node/files.ts'
import type { Hooks } from '../progress.ts'
import { stepsOf, type TrainingSet } from '../prompt/batches.ts'
import { type LearnedPrompt, readPrompt, writePrompt } from '../prompt/learned-prompt.ts'
import { learningRateOf } from '../prompt/schedule.ts'
import { readState, writeState } from '../prompt/state.ts'
import { type LearningSettings, startOf, type TrainingState, type TrainingTask, trainPrompt } from '../prompt/train.ts'

// A run is a folder of plain files, each of which appears whole or not at all:
const SETTINGS = 'settings.json' // written first: all that decides the result
const METRICS = 'metrics.jsonl' // a line a step
const CHECKPOINT = 'checkpoint.safetensors' // context vectors, momentum and losses after some epoch
const PROMPT = 'prompt.safetensors' // the learned prompt, written last

export interface RunOptions extends Hooks {
  /** Seconds between checkpoints (default 10); 0: after every epoch. */
  readonly checkpointSeconds?: number
  /** Go on from the folder's last checkpoint, if it has one; its settings must be the same. */
  readonly resume?: boolean
  /** Start anew where a run is already. */
  readonly force?: boolean
  /** What else settings.json says, such as the folder of images; not compared on resume. */
  readonly about?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

export interface FinishedRun {
  readonly prompt: LearnedPrompt
  /** Of every step. */
  readonly losses: readonly number[]
}

/**
 * Trains a prompt in a folder. Killed at any moment and resumed, it ends with the very same numbers as when left alone
 * (with the same number of threads); a finished run is read, not trained again.
 *
 * @throws UsageError when the folder has a run and neither `resume` nor `force` is set, or on resume with other settings
 */
export async function trainInFolder(
  folder: string,
  task: TrainingTask,
  options: RunOptions = {},
): Promise<FinishedRun> {
  const { checkpointSeconds = 10, onProgress, signal } = options
  const { settings, set, clip, classNames } = task
  const start = await prepareFolder(folder, task, options)
  const steps = stepsOf(set.labels.length, settings.batchSize)
  const line = (loss: number, i: number) => metricsLine(settings, steps, i, loss)
  await writeFileAtomic(join(folder, METRICS), start.losses.map(line).join(''))

  let written = start.losses.length
  let checkpointAt = Date.now()
  const end = await trainPrompt(task, {
    from: start,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    async onEpoch(state) {
      await append(
        join(folder, METRICS),
        state.losses
          .slice(written)
          .map((loss, i) => line(loss, written + i))
          .join(''),
      )
      written = state.losses.length
      if (state.epoch < settings.epochs && Date.now() - checkpointAt < checkpointSeconds * 1000) return
      await writeFileAtomic(join(folder, CHECKPOINT), writeState(state))
      checkpointAt = Date.now()
    },
  })
  const { M, position, classSpecific } = settings
  const prompt = { M, position, classSpecific, ctx: end.ctx, classNames, model: clip.fingerprint }
  await writeFileAtomic(join(folder, PROMPT), writePrompt(prompt, learningSettings(settings)))
  return { prompt, losses: end.losses }
}

/** The learned prompt of a finished run. Throws FileError when there is none. */
export async function readRunPrompt(folder: string): Promise<LearnedPrompt> {
  if (!(await exists(join(folder, PROMPT)))) {
    const begun = await exists(join(folder, SETTINGS))
    throw new FileError(
      begun ? `the run in ${folder} is not finished` : `${folder} holds no run: there is no ${PROMPT}`,
      begun ? 'finish it: coop train DIR --out RUN --resume' : 'give a folder that coop train wrote',
    )
  }
  return readPrompt(await fileSource(join(folder, PROMPT)))
}

/** What settings.json of a run says. Throws FileError when it is missing or damaged. */
export async function readRunSettings(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, SETTINGS)
  const value = parseJson(await readText(path), path)
  if (typeof value !== 'object' || value === null) throw new FileError(`${path} is not a JSON object`)
  return { ...value }
}

/** Refuses a folder with a run in it, before any work, unless the caller says what to do with that run. */
export async function checkFolder(folder: string, options: Pick<RunOptions, 'resume' | 'force'>): Promise<void> {
  if (options.resume || options.force || !(await exists(join(folder, SETTINGS)))) return
  throw new UsageError(
    `there is a run in ${folder} already`,
    'go on with it (--resume), write over it (--force), or take another folder',
  )
}

/** Writes settings.json, or on resume compares it; gives the state to start from. */
async function prepareFolder(folder: string, task: TrainingTask, options: RunOptions): Promise<TrainingState> {
  const { resume = false, about = {} } = options
  await checkFolder(folder, options)
  await removeLeftovers(folder)
  const decides = JSON.stringify(whatDecides(task))
  if (resume && (await exists(join(folder, SETTINGS)))) {
    checkSame(folder, await readRunSettings(folder), JSON.parse(decides))
    const checkpoint = join(folder, CHECKPOINT)
    return (await exists(checkpoint)) ? readState(await fileSource(checkpoint)) : startOf(task)
  }
  const start = startOf(task) // wrong settings are refused before anything is written
  await Promise.all([CHECKPOINT, PROMPT].map((file) => rm(join(folder, file), { force: true })))
  await writeFileAtomic(join(folder, SETTINGS), `${JSON.stringify({ ...JSON.parse(decides), about }, null, 2)}\n`)
  return start
}

/** Temporary files of writes that a kill cut short. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const leftovers = names.filter((name) => name.startsWith('.') && name.endsWith('.tmp'))
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })))
}

/** All that decides a run's numbers: settings, classes, model, images. */
function whatDecides({ settings, classNames, clip, set }: TrainingTask): Record<string, unknown> {
  return {
    settings: learningSettings(settings),
    classNames,
    model: clip.fingerprint,
    images: trainingSetHash(set),
  }
}

/** These settings alone, whatever else the caller's object holds. */
function learningSettings(settings: LearningSettings): Readonly<Record<keyof LearningSettings, unknown>> {
  const { M, position, classSpecific, init, epochs, batchSize, learningRate, seed } = settings
  return { M, position, classSpecific, init, epochs, batchSize, learningRate, seed }
}

function trainingSetHash({ features, labels }: TrainingSet): string {
  const { buffer, byteOffset, byteLength } = features.data
  const values = hashOf(new Uint8Array(buffer, byteOffset, byteLength))
  return hashOf(JSON.stringify({ shape: features.shape, values, labels }))
}

function checkSame(folder: string, then: Record<string, unknown>, now: Record<string, unknown>): void {
  const differences = compare('', then, now)
  if (differences.length === 0) return
  throw new UsageError(
    `the run in ${folder} was begun with other settings:\n${differences.map((line) => `  ${line}`).join('\n')}`,
    'resume with the same settings, model and images, or start anew in another folder',
  )
}

/** What differs in `now`, a line each. */
function compare(path: string, then: unknown, now: unknown): string[] {
  if (isObject(now) && isObject(then)) {
    return Object.keys(now).flatMap((key) => compare(path ? `${path}.${key}` : key, then[key], now[key]))
  }
  const [a, b] = [then, now].map((value) => JSON.stringify(value))
  return a === b ? [] : [`${path}: ${short(a)} then, ${short(b)} now`]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const short = (text = 'nothing') => (text.length > 60 ? `${text.slice(0, 57)}...` : text)

function metricsLine(settings: LearningSettings, stepsPerEpoch: number, i: number, loss: number): string {
  const epoch = Math.floor(i / stepsPerEpoch)
  return `${JSON.stringify({ step: i + 1, epoch: epoch + 1, learningRate: learningRateOf(settings, epoch), loss })}\n`
}

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text)
  } catch (cause) {
    throw fileError('write', path, cause)
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
