import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { stepsOf, type TrainingSet } from '../learning/batches.ts'
import { collapsed, collapseWarning } from '../learning/collapse.ts'
import { learningRateOf, PAPER_WARMUP } from '../learning/schedule.ts'
import { hashOf } from '../node/content-hash.ts'
import { checkWritableFolder, fileError, fileSource, removeLeftovers, writeFileAtomic } from '../node/files.ts'
import { checkSameSettings, exists, type Rerun, readJsonObject, refuseExistingRun } from '../node/run-folder.ts'
import { type LearnedPrompt, learnedPrompt, readPrompt, writePrompt } from '../prompt/learned-prompt.ts'
import { readState, writeState } from '../prompt/state.ts'
import { type LearningSettings, startOf, type TrainingState, type TrainingTask, trainPrompt } from '../prompt/train.ts'
import { clearRun, RUN_FILES } from './run-files.ts'

const { settings: SETTINGS, metrics: METRICS, checkpoint: CHECKPOINT, prompt: PROMPT, results: RESULTS } = RUN_FILES

/** `resume` goes on from the last checkpoint, if there is one; the settings must be the same. */
export interface RunOptions extends Hooks, Rerun {
  /** Seconds between checkpoints (default 10); 0: after every epoch. */
  readonly checkpointSeconds?: number
  /** What else settings.json says, such as the folder of images; not compared here on resume. */
  readonly about?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

export interface FinishedRun {
  readonly prompt: LearnedPrompt
  /** Of every step. */
  readonly losses: readonly number[]
  /** The losses ended no better than chance; a warning has been given. */
  readonly collapsed: boolean
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
  const { checkpointSeconds = 10, onProgress, onWarning, signal } = options
  const { settings, set, clip, classNames } = task
  const start = await prepareFolder(folder, task, options)
  const steps = stepsOf(set.labels.length, settings.batchSize)
  const linesFrom = (state: TrainingState, first: number) =>
    state.losses
      .slice(first)
      .map((_, i) => metricsLine(settings, steps, state, first + i))
      .join('')
  await writeFileAtomic(join(folder, METRICS), linesFrom(start, 0))

  let written = start.losses.length
  let checkpointAt = Date.now()
  const end = await trainPrompt(task, {
    from: start,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    async onEpoch(state) {
      await append(join(folder, METRICS), linesFrom(state, written))
      written = state.losses.length
      if (state.epoch < settings.epochs && Date.now() - checkpointAt < checkpointSeconds * 1000) return
      await writeFileAtomic(join(folder, CHECKPOINT), writeState(state))
      checkpointAt = Date.now()
    },
  })
  const prompt = learnedPrompt(clip, classNames, settings, end.ctx)
  await writeFileAtomic(join(folder, PROMPT), writePrompt(prompt, learningSettings(settings)))
  const { losses } = end
  const hasCollapsed = collapsed({ losses, classes: classNames.length })
  if (hasCollapsed) onWarning?.(collapseWarning({ losses, classes: classNames.length }))
  return { prompt, losses, collapsed: hasCollapsed }
}

/**
 * Makes a finished run of a prompt that was learned elsewhere. `about` names the model, and where the prompt is from.
 * Throws UsageError when the folder has a run and `force` is not set.
 */
export async function saveImportedRun(
  folder: string,
  prompt: LearnedPrompt,
  { about, force }: { readonly about: Readonly<Record<string, unknown>>; readonly force: boolean },
): Promise<void> {
  await checkFolder(folder, { force })
  const { M, position, classSpecific, classNames, model } = prompt
  const settings = { settings: { M, position, classSpecific }, classNames, model, about }
  await clearRun(folder)
  await writeFileAtomic(join(folder, SETTINGS), `${JSON.stringify(settings, null, 2)}\n`)
  await writeFileAtomic(join(folder, PROMPT), writePrompt(prompt, settings.settings))
}

/** The learned prompt of a finished run. Throws FileError when there is none. */
export async function readRunPrompt(folder: string): Promise<LearnedPrompt> {
  if (!(await exists(join(folder, PROMPT)))) {
    const begun = await exists(join(folder, SETTINGS))
    throw new FileError(
      begun ? `the run in ${folder} is not finished` : `${folder} holds no run: there is no ${PROMPT}`,
      begun
        ? 'finish it: coop train DATA --out RUN --resume, or coop sweep where it is of a sweep'
        : 'give a folder that coop train wrote, or one of the runs of a sweep',
    )
  }
  return orRemedy(
    readPrompt(await fileSource(join(folder, PROMPT))),
    `train again: coop train DATA --out ${folder} --force`,
  )
}

/** A damaged file of a run cannot be fetched again: this says what to do instead. */
export function orRemedy<T>(reading: Promise<T>, remedy: string): Promise<T> {
  return reading.catch((cause: unknown) => {
    throw cause instanceof FileError ? new FileError(cause.message, remedy, { cause }) : cause
  })
}

/** What settings.json of a run says. Throws FileError when it is missing or damaged. */
export function readRunSettings(folder: string): Promise<Record<string, unknown>> {
  return readJsonObject(join(folder, SETTINGS))
}

/** Keeps what was measured with a finished run. */
export async function writeResults(folder: string, results: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFileAtomic(join(folder, RESULTS), `${JSON.stringify(results, null, 2)}\n`)
}

/**
 * Refuses, before any work, a folder that cannot be written, one with a run when the caller does not say what to do with
 * it, and on resume settings other than the run's, as far as `known` names them.
 */
export async function checkFolder(
  folder: string,
  options: Rerun,
  known: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await refuseExistingRun(folder, SETTINGS, options)
  await checkWritableFolder(folder)
  if (options.resume && (await exists(join(folder, SETTINGS)))) {
    checkSameSettings(folder, await readRunSettings(folder), known)
  }
}

/** Writes settings.json, or on resume compares it; gives the state to start from. */
async function prepareFolder(folder: string, task: TrainingTask, options: RunOptions): Promise<TrainingState> {
  const { resume = false, about = {} } = options
  const decides = whatDecides(task)
  await checkFolder(folder, options, decides)
  await removeLeftovers(folder)
  if (resume && (await exists(join(folder, SETTINGS)))) {
    const checkpoint = join(folder, CHECKPOINT)
    if (!(await exists(checkpoint))) return startOf(task)
    return orRemedy(readState(await fileSource(checkpoint)), 'start the run anew (--force)')
  }
  const start = startOf(task) // wrong settings are refused before anything is written
  await clearRun(folder)
  await writeFileAtomic(join(folder, SETTINGS), `${JSON.stringify({ ...decides, about }, null, 2)}\n`)
  return start
}

/** All that decides a run's numbers: settings, classes, model, images. */
function whatDecides({ settings, classNames, clip, set, online }: TrainingTask): Record<string, unknown> {
  return {
    settings: learningSettings(settings),
    classNames,
    model: clip.fingerprint,
    images: online === undefined ? trainingSetHash(set) : hashOf(JSON.stringify([online.key, set.labels])),
  }
}

/** These settings alone, whatever else the caller's object holds. */
export function learningSettings(settings: LearningSettings): Readonly<Record<keyof LearningSettings, unknown>> {
  const { M, position, classSpecific, init, epochs, batchSize, learningRate, seed } = settings
  const { warmup = PAPER_WARMUP.warmup, warmupEpochs = PAPER_WARMUP.warmupEpochs } = settings
  return { M, position, classSpecific, init, epochs, batchSize, learningRate, warmup, warmupEpochs, seed }
}

function trainingSetHash({ features, labels }: TrainingSet): string {
  const { buffer, byteOffset, byteLength } = features.data
  const values = hashOf(new Uint8Array(buffer, byteOffset, byteLength))
  return hashOf(JSON.stringify({ shape: features.shape, values, labels }))
}

function metricsLine(settings: LearningSettings, stepsPerEpoch: number, state: TrainingState, i: number): string {
  const epoch = Math.floor(i / stepsPerEpoch)
  const learningRate = learningRateOf(settings, epoch)
  const [loss, gradientNorm] = [state.losses[i], state.gradientNorms[i]]
  return `${JSON.stringify({ step: i + 1, epoch: epoch + 1, learningRate, loss, gradientNorm })}\n`
}

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text)
  } catch (cause) {
    throw fileError('write', path, cause)
  }
}
