import { CoopError, DivergedError, ShapeError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import {
  type BatchOrder,
  batchesOf,
  epochSets,
  feedsOf,
  type OnlineViews,
  shuffled,
  stepsOf,
  type TrainingSet,
} from '../learning/batches.ts'
import { learningRateOf, type Schedule } from '../learning/schedule.ts'
import { sgdStep } from '../learning/sgd.ts'
import type { Runtime } from '../runtime/types.ts'
import { randomContext, startTokens, wordContext } from './context-start.ts'
import { checkClassNames, type PromptLayout, type PromptShape, promptLayout } from './layout.ts'
import { contextShape, trainingProgram } from './prompted-tower.ts'

/** All that decides what is learned, besides model, classes and images. */
export interface LearningSettings extends PromptShape, Schedule {
  /** Words whose embeddings the context starts from (M is then the number of their tokens); null: random vectors. */
  readonly init: string | null
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

/** Training after some whole epochs; from here it goes on to the same numbers as without a stop. */
export interface TrainingState {
  /** Epochs done. */
  readonly epoch: number
  /** `(M, width)`, or `(classes, M, width)` where each class has its own. */
  readonly ctx: FloatTensor
  readonly momentum: FloatTensor
  /** Of every step so far. */
  readonly losses: readonly number[]
  /** Euclidean length of the gradient of every step so far, rounded to float32; NaN where it was not kept. */
  readonly gradientNorms: readonly number[]
}

export interface TrainingTask {
  readonly clip: Clip
  readonly runtime: Runtime
  readonly classNames: readonly string[]
  readonly set: TrainingSet
  /** Views drawn anew for each epoch, of the set's images: these are then learned from, not the set's own. */
  readonly online?: OnlineViews | undefined
  readonly settings: LearningSettings
}

export interface TrainingOptions extends Hooks {
  /** Default: a random order by the seed. */
  readonly order?: BatchOrder
  /** Where to begin; default: startOf(task). */
  readonly from?: TrainingState
  /** Awaited after each epoch. The state is the caller's to keep. */
  readonly onEpoch?: (state: TrainingState) => unknown
  /** Stops training before the next step; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Learns the context vectors of a prompt by the paper's recipe: cross-entropy over the images' similarities to the
 * class prompts, SGD, everything else of the model frozen. Returns the state after the last epoch.
 *
 * @throws CoopError when classes, images and settings do not fit; DivergedError when the loss is no number any more
 */
export async function trainPrompt(task: TrainingTask, options: TrainingOptions = {}): Promise<TrainingState> {
  const { clip, runtime, set, online, settings } = task
  const { order = shuffled(settings.seed), from, onEpoch, onProgress, signal } = options
  const layout = layoutOf(task)
  checkTrainingSet(set, layout, clip.config.embedDim)
  const n = set.labels.length
  const start = from ?? startOf(task)
  checkState(start, contextShape(clip, layout))
  const batchSize = Math.min(settings.batchSize, n)
  const totalSteps = settings.epochs * stepsOf(n, batchSize)

  const ctx = floatTensor(start.ctx.shape, start.ctx.data.slice())
  const momentum = floatTensor(start.momentum.shape, start.momentum.data.slice())
  const losses = [...start.losses]
  const gradientNorms = [...start.gradientNorms]
  const session = await runtime.load(trainingProgram(clip, layout, batchSize))
  try {
    for await (const { epoch, set: shown } of epochSets(set, online, start.epoch, settings.epochs)) {
      checkTrainingSet(shown, layout, clip.config.embedDim)
      const learningRate = learningRateOf(settings, epoch)
      for (const images of batchesOf(order(epoch, n), batchSize)) {
        signal?.throwIfAborted()
        const { loss, gradient } = await session.run({ ctx, ...feedsOf(shown, images, epoch) })
        if (loss === undefined || gradient === undefined) throw new Error('a training program has loss and gradient')
        const [value = Number.NaN] = loss.data
        const step = losses.length + 1
        if (!Number.isFinite(value)) throw diverged(`the loss of step ${step} is ${value}`, learningRate)
        sgdStep({ values: ctx.data, momentum: momentum.data }, gradient.data, learningRate)
        if (!ctx.data.every(Number.isFinite))
          throw diverged(`step ${step} left vectors that are no numbers`, learningRate)
        losses.push(value)
        gradientNorms.push(lengthOf(gradient.data))
        onProgress?.({ kind: 'train', done: losses.length, total: totalSteps, loss: value })
      }
      await onEpoch?.(stateOf(epoch + 1))
    }
  } finally {
    await session.dispose()
  }
  return stateOf(settings.epochs)

  function stateOf(epoch: number): TrainingState {
    const copy = ({ shape, data }: FloatTensor) => floatTensor(shape, data.slice())
    return { epoch, ctx: copy(ctx), momentum: copy(momentum), losses: [...losses], gradientNorms: [...gradientNorms] }
  }
}

/** The state before the first step: random context vectors by the seed, or the embeddings of the words to start from. */
export function startOf(task: Omit<TrainingTask, 'runtime' | 'set'>): TrainingState {
  const { clip, settings, classNames } = task
  const shape = contextShape(clip, layoutOf(task))
  const ctx =
    settings.init === null
      ? randomContext(shape, settings.seed)
      : wordContext(clip, settings.init, settings.classSpecific ? classNames.length : undefined)
  return { epoch: 0, ctx, momentum: floatTensor(shape), losses: [], gradientNorms: [] }
}

function layoutOf({ clip, classNames, settings }: Omit<TrainingTask, 'runtime' | 'set'>): PromptLayout {
  checkSettings(clip, settings)
  if (classNames.length < 2) throw new CoopError('there is one class only', 'a classifier needs two or more classes')
  checkClassNames(clip.tokenizer, classNames)
  return promptLayout(clip.tokenizer, classNames, settings)
}

function checkSettings(clip: Clip, settings: LearningSettings): void {
  const { M, init, epochs, batchSize, learningRate, warmupEpochs = 1 } = settings
  const counts = { epochs, 'batch size': batchSize, 'epochs of warm-up': warmupEpochs }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) throw new UsageError(`${name}: a whole number above 0, not ${value}`)
  }
  if (!(learningRate > 0 && Number.isFinite(learningRate))) {
    throw new UsageError(`learning rate: a number above 0, not ${learningRate}`)
  }
  const words = init === null ? M : startTokens(clip, init).length
  if (words !== M) throw new UsageError(`${JSON.stringify(init)} has ${words} tokens, so M is ${words}, not ${M}`)
}

/** Throws ShapeError or CoopError for features and labels that do not belong together, or not to the classes. */
export function checkTrainingSet(
  { features, labels }: TrainingSet,
  { classes }: Pick<PromptLayout, 'classes'>,
  embedDim: number,
): void {
  const [images, views = 0, embed] = features.shape
  if (features.shape.length !== 3 || images !== labels.length || views < 1 || embed !== embedDim) {
    throw new ShapeError(
      `training features are (${features.shape.join(', ')}), expected (${labels.length} images, views, ${embedDim})`,
    )
  }
  if (labels.length === 0) throw new CoopError('there are no images to learn from')
  const strange = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes)
  if (strange !== undefined) throw new ShapeError(`the label ${strange} is none of the ${classes} classes`)
}

function checkState({ ctx, momentum }: TrainingState, shape: readonly number[]): void {
  for (const [what, tensor] of Object.entries({ 'context vectors': ctx, momentum })) {
    if (tensor.shape.join() === shape.join()) continue
    throw new ShapeError(
      `the ${what} to start from are (${tensor.shape.join(', ')}), this model and prompt take (${shape.join(', ')})`,
    )
  }
}

/** Euclidean length, in float32. */
function lengthOf(vector: Float32Array): number {
  let squares = 0
  for (const x of vector) squares += x * x
  return Math.fround(Math.sqrt(squares))
}

function diverged(what: string, learningRate: number): DivergedError {
  return new DivergedError(
    `training broke down: ${what} (learning rate ${learningRate})`,
    'take a smaller learning rate, and see that the image features are finite',
  )
}
