import { ShapeError } from '../../base/errors.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import {
  type BatchOrder,
  checkTrainingSet,
  type Feeds,
  featureFeeds,
  inOrder,
  shuffled,
} from '../../learning/batches.ts'
import type { Schedule } from '../../learning/schedule.ts'
import type { LearnOptions } from '../../learning/types.ts'
import { type ContextSettings, contextOf } from '../context.ts'
import { contextStep } from '../context-step.ts'
import type { Learned, Task } from '../method.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { coopLoss } from './program.ts'
import { RECIPES, type Recipe, type RecipeName } from './recipes.ts'

export interface ContextLearning extends ContextSettings, Schedule {
  readonly recipe: RecipeName
  /** null: all images at once. */
  readonly batchSize: number | null
}

export interface ContextOptions extends LearnOptions {
  /** Default: a random order by the seed. */
  readonly order?: BatchOrder
  /** Context vectors to begin with; default: those of the settings. */
  readonly start?: FloatTensor
}

/**
 * Learns the context vectors `ctx` of a prompt: cross-entropy over the images' similarities to the class prompts,
 * everything else of the model frozen (section 3.2 of the paper, equations 3 and 4).
 *
 * @throws CoopError when classes, images and settings do not fit; DivergedError when the loss is no number any more
 */
export async function learnContext(
  task: Pick<Task, 'clip' | 'runtime' | 'classNames' | 'train' | 'online' | 'seed'>,
  settings: ContextLearning,
  options: ContextOptions,
  { optimiser, rate, temperature }: Recipe = RECIPES[settings.recipe],
): Promise<Learned> {
  const { clip, classNames, train, online, seed } = task
  const { ctx, layout } = contextOf(task, settings)
  checkTrainingSet(train, classNames.length, clip.config.embedDim)
  const { order = settings.batchSize === null ? inOrder : shuffled(seed), start = ctx } = options
  if (start.shape.join() !== ctx.shape.join()) {
    const [is, wanted] = [start.shape.join(', '), ctx.shape.join(', ')]
    throw new ShapeError(`the initial context vectors have shape (${is}), but this model and prompt need (${wanted})`)
  }
  const feeds = featureFeeds(train, online, settings.epochs)
  const own = {
    program: (batch: number) => contextStep(clip, layout, coopLoss(clip, batch, temperature !== undefined)),
    feeds: temperature === undefined ? feeds : withTemperature(feeds, (epoch) => temperature(settings.epochs, epoch)),
    start: new Map([['ctx', start]]),
    order,
    optimiser,
    learningRate: (epoch: number) => rate(settings, epoch),
  }
  return learnByRecipe(task, { ...settings, batchSize: settings.batchSize ?? train.labels.length }, own, options)
}

/** Feeds of a loss that is tempered (see coopLoss). */
const withTemperature = (feeds: Feeds, temperature: (epoch: number) => number): Feeds => ({
  ...feeds,
  of: async (images, epoch) => ({
    ...(await feeds.of(images, epoch)),
    temperature: floatTensor([1], Float32Array.of(temperature(epoch))),
  }),
})
