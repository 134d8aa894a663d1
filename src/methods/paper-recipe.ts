import { featureFeeds, shuffled } from '../learning/batches.ts'
import { type GradientTask, learnByGradients } from '../learning/loop.ts'
import { sgd } from '../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../learning/schedule.ts'
import type { LearnOptions } from '../learning/types.ts'
import type { Learned, Task } from './method.ts'

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

/** Learns the tensors of `start` by steps of `program`, and by CoOp's recipe but for what else `own` has. */
export async function learnByRecipe(
  task: Parameters<typeof paperRecipe>[0],
  settings: Parameters<typeof paperRecipe>[1],
  own: Partial<GradientTask> & Pick<GradientTask, 'program' | 'start'>,
  options: LearnOptions,
): Promise<Learned> {
  const { tensors, steps } = await learnByGradients({ ...paperRecipe(task, settings), ...own }, options)
  return { tensors, steps, facts: { epochs: settings.epochs } }
}
