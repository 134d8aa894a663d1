import { aClip, anObject, aRuntime, aSeed, checkArguments, someTexts } from '../../base/arguments.ts'
import { CoopError, UsageError } from '../../base/errors.ts'
import type { Clip } from '../../clip/types.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import type { OnlineViews, TrainingSet } from '../../learning/batches.ts'
import type { Schedule } from '../../learning/schedule.ts'
import type { Step } from '../../learning/types.ts'
import type { Runtime } from '../../runtime/types.ts'
import { type ContextSettings, contextLength } from '../context.ts'
import { readSettings } from '../settings.ts'
import { coop } from './index.ts'
import { type ContextOptions, learnContext } from './learn.ts'

/** Everything that decides what CoOp learns with the paper's recipe, apart from model, classes and images. */
export interface LearningSettings extends ContextSettings, Schedule {
  readonly batchSize: number
  readonly seed: number
}

/** The paper's settings, save for epochs, which follow from the shots (defaultEpochs). */
export const PAPER_SETTINGS = {
  M: 16,
  position: 'end',
  classSpecific: false,
  init: null,
  batchSize: 32,
  learningRate: 0.002,
  seed: 1,
} as const satisfies Omit<LearningSettings, 'epochs'>

/** What trainPrompt learns from. */
export interface TrainingTask {
  readonly clip: Clip
  readonly runtime: Runtime
  readonly classNames: readonly string[]
  readonly set: TrainingSet
  /** New views of the set's images for each epoch, to learn from instead of the set's own. */
  readonly online?: OnlineViews
  readonly settings: LearningSettings
}

/** A learned context. */
export interface TrainedPrompt {
  /** `(M, width)`, or `(classes, M, width)` where each class has its own. */
  readonly ctx: FloatTensor
  /** Of every step. */
  readonly losses: readonly number[]
  readonly steps: readonly Step[]
}

/**
 * Learns the context vectors of a prompt by the paper's recipe: the method coop without a data set around it.
 *
 * @throws UsageError for settings that mean nothing, M other than the tokens of `init` among them; else as learnContext
 */
export async function trainPrompt(task: TrainingTask, options: ContextOptions = {}): Promise<TrainedPrompt> {
  checkArguments('trainPrompt', { task, options }, { task: anObject, options: anObject })
  checkArguments(
    'trainPrompt',
    { ...task },
    { clip: aClip, runtime: aRuntime, classNames: someTexts, set: anObject, settings: anObject },
  )
  const { seed, ...given } = task.settings
  checkArguments('trainPrompt', { seed }, { seed: aSeed })
  const settings = { ...readSettings(coop, given), ...given, recipe: 'paper' } as const
  const M = contextLength(task.clip, given)
  if (M !== given.M) {
    throw new UsageError(`${JSON.stringify(given.init)} has ${M} tokens, so M is ${M}, not ${given.M}`)
  }
  const { tensors, steps } = await learnContext({ ...task, train: task.set, seed }, settings, options)
  const ctx = tensors.get('ctx')
  if (ctx === undefined) throw new CoopError('the context vectors were not learned')
  return { ctx, losses: steps.map(({ loss }) => loss), steps }
}
