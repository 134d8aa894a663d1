import type { Clip } from '../../clip/types.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import type { BatchOrder } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../../learning/schedule.ts'
import type { LearnOptions } from '../../learning/types.ts'
import type { Task } from '../method.ts'
import { type Adapter, adapterStep, DOWN, UP } from './adapter.ts'

export interface AdapterTraining extends Schedule {
  readonly ratio: number
  readonly batchSize: number
}

/** Learns the two matrices from a start, by CoOp's recipe: SGD, an epoch of warm-up, then a cosine. */
export function trainAdapter(
  clip: Clip,
  { runtime, train: set, online }: Pick<Task, 'runtime' | 'train' | 'online'>,
  text: FloatTensor,
  start: Adapter,
  settings: AdapterTraining,
  order: BatchOrder,
  options: LearnOptions,
) {
  const [hidden = 0] = start.down.shape
  const { ratio, epochs, batchSize } = settings
  return learnByGradients(
    {
      runtime,
      program: (batch) => adapterStep(clip, text, hidden, ratio, batch),
      start: new Map([
        [DOWN, start.down],
        [UP, start.up],
      ]),
      set,
      online,
      epochs,
      batchSize,
      order,
      optimiser: sgd,
      learningRate: (epoch) => learningRateOf(settings, epoch),
    },
    options,
  )
}
