import type { Clip } from '../../clip/types.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { type BatchOrder, featureFeeds } from '../../learning/batches.ts'
import { type GradientResult, learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../../learning/schedule.ts'
import type { LearnOptions, Tensors } from '../../learning/types.ts'
import type { Task } from '../method.ts'
import { adapterStep, DOWN } from './adapter.ts'

export interface AdapterTraining extends Schedule {
  readonly ratio: number
  readonly batchSize: number
}

/** Learns the two matrices from a start, by CoOp's recipe: SGD, an epoch of warm-up, then a cosine. */
export function trainAdapter(
  clip: Clip,
  { runtime, train, online }: Pick<Task, 'runtime' | 'train' | 'online'>,
  text: FloatTensor,
  start: Tensors,
  settings: AdapterTraining,
  order: BatchOrder,
  options: LearnOptions,
): Promise<GradientResult> {
  const { ratio, epochs, batchSize } = settings
  const hidden = start.get(DOWN)?.shape[0] ?? 0
  return learnByGradients(
    {
      runtime,
      program: (batch) => adapterStep(clip, text, hidden, ratio, batch),
      start,
      feeds: featureFeeds(train, online, epochs),
      epochs,
      batchSize,
      order,
      optimiser: sgd(),
      learningRate: (epoch) => learningRateOf(settings, epoch),
    },
    options,
  )
}
