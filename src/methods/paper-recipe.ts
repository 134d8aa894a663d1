import { featureFeeds, shuffled } from '../learning/batches.ts'
import type { GradientTask } from '../learning/loop.ts'
import { sgd } from '../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../learning/schedule.ts'
import type { Task } from './method.ts'

/** CoOp's recipe, which its followers share: SGD over shuffled batches, an epoch of warm-up, then a cosine. */
export function paperRecipe(
  { runtime, train, online, seed }: Pick<Task, 'runtime' | 'train' | 'online' | 'seed'>,
  settings: Schedule & { readonly batchSize: number },
): Omit<GradientTask, 'program' | 'start'> {
  const { epochs, batchSize } = settings
  return {
    runtime,
    feeds: featureFeeds(train, online, epochs),
    epochs,
    batchSize,
    order: shuffled(seed),
    optimiser: sgd(),
    learningRate: (epoch) => learningRateOf(settings, epoch),
  }
}
