export interface Schedule {
  readonly epochs: number
  /** Learning rate at its highest. */
  readonly learningRate: number
}

/** Learning rate of the first epoch. */
const WARM_UP_RATE = 1e-5

/**
 * Learning rate of an epoch, counted from 0: one epoch of warm-up at 1e-5, then a cosine over all epochs.
 *
 *     lr(0) = 1e-5,   lr(e) = rate (1 + cos(pi (e - 1) / epochs)) / 2
 */
export function learningRateOf({ epochs, learningRate }: Schedule, epoch: number): number {
  if (epoch === 0) return WARM_UP_RATE
  return (learningRate * (1 + Math.cos((Math.PI * (epoch - 1)) / epochs))) / 2
}

/** Epochs the paper trains for, up to a number of shots. */
const EPOCHS = [
  { shots: 1, epochs: 50 },
  { shots: 4, epochs: 100 },
  { shots: Number.POSITIVE_INFINITY, epochs: 200 },
]

/** Epochs of the paper for a number of shots: 50 for one, 100 up to four, 200 above. */
export function defaultEpochs(shots: number): number {
  return EPOCHS.find((row) => shots <= row.shots)?.epochs ?? 200
}
