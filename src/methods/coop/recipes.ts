import { adamW, type Optimiser, sgd } from '../../learning/optimisers.ts'
import { learningRateOf, type Schedule } from '../../learning/schedule.ts'

/** A way to the same minimum: how the context vectors are moved, and by how much at a time. */
export interface Recipe {
  readonly optimiser: Optimiser
  /** Learning rate of an epoch, counted from 0. */
  rate(schedule: Schedule, epoch: number): number
  /** What the logits are divided by in the loss of an epoch, counted from 0; left out: nothing. */
  temperature?(epochs: number, epoch: number): number
  /** What settings that are left out are. */
  readonly defaults: {
    /** null: the paper's, which follow from the shots. */
    readonly epochs: number | null
    /** null: all images at once. */
    readonly batchSize: number | null
    readonly learningRate: number
    readonly warmup: 'constant' | 'linear'
    readonly warmupEpochs: number
  }
}

export const RECIPES = {
  /** The paper's: SGD over batches of 32, one epoch at a small rate, then a cosine over epochs. */
  paper: {
    optimiser: sgd(),
    rate: learningRateOf,
    defaults: { epochs: null, batchSize: 32, learningRate: 0.002, warmup: 'constant', warmupEpochs: 1 },
  },
  /**
   * For when a prompt is wanted in a second: AdamW over all images at once, a short rise, then a cosine to zero; no
   * decay. A step over all images costs the text tower no more than one over 32, and a hundred such steps, whose gradients
   * are exact and need little averaging, reach what the paper's thousands of small ones do (docs/recipes.md).
   */
  fast: {
    optimiser: adamW({ beta1: 0.8, beta2: 0.9, epsilon: 1e-8, weightDecay: 0 }),
    rate: risingRate,
    temperature: fallingTemperature,
    defaults: { epochs: 100, batchSize: null, learningRate: 0.02, warmup: 'linear', warmupEpochs: 5 },
  },
} as const satisfies Record<string, Recipe>

export type RecipeName = keyof typeof RECIPES
export const RECIPE_NAMES = ['paper', 'fast'] as const satisfies readonly RecipeName[]

/**
 * Unlike Dassl's schedules the rise ends at the full rate, and the cosine at zero: of W epochs of warm-up and E in all
 *
 *     e < W:   lr(e) = rate (e + 1) / W
 *     e >= W:  lr(e) = rate (1 + cos(pi (e - W) / (E - W))) / 2
 */
export function risingRate(schedule: Schedule, epoch: number): number {
  const { epochs, learningRate, warmup, warmupEpochs = 1 } = schedule
  if (warmup !== 'linear') return learningRateOf(schedule, epoch)
  if (epoch < warmupEpochs) return (learningRate * (epoch + 1)) / warmupEpochs
  return (learningRate * (1 + Math.cos((Math.PI * (epoch - warmupEpochs)) / (epochs - warmupEpochs)))) / 2
}

/**
 * From 10 to 1 in the first fifth of E epochs. Of logits so small the gradient goes where each class's images lie, away from
 * the others'; at 1, a hundred classes that start badly first become all alike, which takes long to undo.
 *
 *     e < E / 5:   T(e) = 10^(1 - 5 e / E)
 */
export function fallingTemperature(epochs: number, epoch: number): number {
  return Math.max(1, 10 ** (1 - (5 * epoch) / epochs))
}
