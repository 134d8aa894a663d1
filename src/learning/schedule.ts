import { aNumber, aNumberFrom0, anObject, checkArguments } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'

/** How the learning rate goes over the epochs; see learningRateOf. */
export interface Schedule {
  readonly epochs: number
  /** Learning rate at its highest. */
  readonly learningRate: number
  /** Default: constant. */
  readonly warmup?: Warmup
  /** Default: 1. */
  readonly warmupEpochs?: number
}

/** How the first epochs lead up to the full learning rate: at a small constant one, in a line, or not at all. */
export const WARMUPS = ['constant', 'linear', 'none'] as const
export type Warmup = (typeof WARMUPS)[number]

/** The paper's: one epoch at a small constant rate. */
export const PAPER_WARMUP = { warmup: 'constant', warmupEpochs: 1 } as const satisfies Partial<Schedule>

/** Learning rate of a constant warm-up, and of the first epoch of a linear one. */
const WARM_UP_RATE = 1e-5

/**
 * Learning rate of an epoch, counted from 0: W epochs of warm-up, then a cosine over all epochs (Dassl's schedulers;
 * the last W epochs of the cosine are not reached).
 *
 *     e < W:   lr(e) = 1e-5, or rate e / W where it rises in a line (1e-5 at e = 0)
 *     e >= W:  lr(e) = rate (1 + cos(pi (e - W) / epochs)) / 2
 */
export function learningRateOf(schedule: Schedule, epoch: number): number {
  checkArguments('learningRateOf', { schedule, epoch }, { schedule: anObject, epoch: aNumberFrom0 })
  checkArguments('learningRateOf', { ...schedule }, { epochs: aNumberFrom0, learningRate: aNumber })
  const { epochs, learningRate, warmup = PAPER_WARMUP.warmup, warmupEpochs = PAPER_WARMUP.warmupEpochs } = schedule
  const warm = warmup === 'none' ? 0 : warmupEpochs
  if (epoch >= warm) return (learningRate * (1 + Math.cos((Math.PI * (epoch - warm)) / epochs))) / 2
  return warmup === 'linear' && epoch > 0 ? (learningRate * epoch) / warm : WARM_UP_RATE
}

/** Epochs the paper trains for, up to a number of shots. */
const EPOCHS = [
  { shots: 1, epochs: 50 },
  { shots: 4, epochs: 100 },
  { shots: 16, epochs: 200 },
]

/**
 * Epochs of the paper for a number of shots: 50 for one, 100 up to four, 200 up to sixteen. The paper has no more; above,
 * so many that there are as many steps as with sixteen.
 */
export function defaultEpochs(shots: number): number {
  if (!(typeof shots === 'number' && shots >= 0))
    throw new UsageError(`defaultEpochs takes a number of shots, not ${shots}`)
  return EPOCHS.find((row) => shots <= row.shots)?.epochs ?? Math.max(1, Math.round((200 * 16) / shots))
}
