import type { Clip } from '../../clip/types.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { type BatchOrder, featureFeeds } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { adamW } from '../../learning/optimisers.ts'
import type { LearnOptions } from '../../learning/types.ts'
import type { Task } from '../method.ts'
import { type Cache, tipStep, type Weighting } from './cache.ts'

export interface FineTuning extends Weighting {
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
}

/** AdamW as PyTorch has it, but with the official code's epsilon. */
const OPTIMISER = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0.01 })

/**
 * The cache with its keys fine-tuned: AdamW, all images in each epoch, a cosine to zero over all steps.
 *
 * @param text `(classes, embed)` of length 1
 */
export async function fineTuneKeys(
  clip: Clip,
  { runtime, train, online }: Pick<Task, 'runtime' | 'train' | 'online'>,
  text: FloatTensor,
  cache: Cache,
  { alpha, beta, epochs, batchSize, learningRate }: FineTuning,
  order: BatchOrder,
  options: LearnOptions,
) {
  const totalSteps = epochs * Math.ceil(train.labels.length / batchSize)
  const { tensors, steps } = await learnByGradients(
    {
      runtime,
      program: (batch) => tipStep(clip, text, cache, { alpha, beta }, batch),
      start: new Map([['keys', cache.keys]]),
      feeds: featureFeeds(train, online, epochs),
      epochs,
      batchSize,
      keepLast: true,
      order,
      optimiser: OPTIMISER,
      learningRate: (_, step) => (learningRate * (1 + Math.cos((Math.PI * step) / totalSteps))) / 2,
    },
    options,
  )
  return { cache: { ...cache, keys: tensors.get('keys') ?? cache.keys }, steps }
}
