import { ShapeError, UsageError } from '../../base/errors.ts'
import { projectionName, trunkWidth } from '../../clip/towers/image-tower.ts'
import type { Clip } from '../../clip/types.ts'
import { weightOf } from '../../clip/weights/parameters.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { type BatchOrder, featureFeeds, type OnlineViews, type TrainingSet } from '../../learning/batches.ts'
import { type GradientResult, learnByGradients } from '../../learning/loop.ts'
import { adamW } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import type { LearnOptions } from '../../learning/types.ts'
import type { Task } from '../method.ts'
import { prolipStep } from './program.ts'

export interface ProlipTraining {
  readonly lambda: number
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
}

/** Adam as PyTorch has it, but with the official code's epsilon. */
const OPTIMISER = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0 })

/**
 * Learns the last projection from the model's own: Adam, a cosine to zero over the epochs.
 *
 * @param text `(classes, embed)` of length 1
 */
export function trainProlip(
  clip: Clip,
  { runtime, train, online }: Pick<Task, 'runtime' | 'train' | 'online'>,
  text: FloatTensor,
  { lambda, epochs, batchSize, learningRate }: ProlipTraining,
  order: BatchOrder,
  options: LearnOptions,
): Promise<GradientResult> {
  const name = projectionName(clip.config)
  return learnByGradients(
    {
      runtime,
      program: (batch) => prolipStep(clip, text, lambda, batch),
      start: new Map([[name, weightOf(clip.weights, name)]]),
      feeds: featureFeeds(trunkOf(train, clip), online && trunkViews(online), epochs),
      epochs,
      batchSize,
      keepLast: true,
      order,
      optimiser: OPTIMISER,
      learningRate: (epoch) => learningRateOf({ epochs, learningRate, warmup: 'none' }, epoch),
    },
    options,
  )
}

/** A set with its trunk features in the place of its features. */
function trunkOf({ features, trunk, labels }: TrainingSet, { config }: Clip): TrainingSet {
  if (trunk === undefined) throw lackOf('train.trunk', '(images, views, trunk)')
  const [images, views] = features.shape
  const shape = [images, views, trunkWidth(config)]
  if (trunk.shape.join() === shape.join()) return { features: trunk, labels }
  throw new ShapeError(
    `features before the last projection have shape (${trunk.shape.join(', ')}), expected (${shape.join(', ')}) for these images and this model`,
  )
}

/** Views of each epoch with their trunk features in the place of their features. */
function trunkViews({ key, trunk }: OnlineViews): OnlineViews {
  if (trunk === undefined) throw lackOf('online.trunk', '(images, 1, trunk) for an epoch')
  return { key, features: trunk }
}

function lackOf(what: string, shape: string): UsageError {
  return new UsageError(
    "prolip learns from features before the image tower's last projection, and there are none",
    `give ${what} ${shape} beside features: encodeSets gives both, and so does the method trunk of imageEncoder`,
  )
}
