import type { FloatTensor } from '../../graph/tensor.ts'
import { type BatchOrder, featureFeeds } from '../../learning/batches.ts'
import { type GradientResult, learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../../learning/schedule.ts'
import type { LearnOptions } from '../../learning/types.ts'
import type { Task } from '../method.ts'
import { multipliersOf } from './multipliers.ts'
import { clapStep } from './program.ts'

/** The official configuration's; unlike CoOp's, nothing decays. */
const OPTIMISER = sgd({ momentum: 0.9, weightDecay: 0 })

/**
 * Learns `weights` `(classes, embed)` from the text features on: an epoch of warm-up, then a cosine, as CoOp.
 *
 * @param text `(classes, embed)` as the text tower gives them
 * @returns also the multipliers of the penalty
 */
export async function learnClap(
  { clip, runtime, train, online }: Pick<Task, 'clip' | 'runtime' | 'train' | 'online'>,
  text: FloatTensor,
  settings: Schedule & { readonly batchSize: number },
  order: BatchOrder,
  options: LearnOptions,
): Promise<GradientResult & { readonly multipliers: FloatTensor }> {
  const { epochs, batchSize } = settings
  const multipliers = await multipliersOf({ clip, runtime }, text, train)
  const learned = await learnByGradients(
    {
      runtime,
      program: (batch) => clapStep(clip, text, multipliers, batch),
      start: new Map([['weights', text]]),
      feeds: featureFeeds(train, online, epochs),
      epochs,
      batchSize,
      order,
      optimiser: OPTIMISER,
      learningRate: (epoch) => learningRateOf(settings, epoch),
    },
    options,
  )
  return { ...learned, multipliers }
}
