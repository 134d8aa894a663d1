/** Losses of every step of a training run over a number of classes. */
export interface TrainingLosses {
  readonly losses: readonly number[]
  readonly classes: number
}

/** Share of the steps, at the end of a run, that say how it ended. */
const END = 0.1

/** Share of chance's loss from which on a run counts as ended at chance: its batches scatter about it. */
const MARGIN = 0.99

/**
 * Whether a run ended no better than chance: the mean loss of its last tenth of the steps is about log(classes), which
 * is what a classifier has that holds all classes for equally likely, or above.
 */
export function collapsed(run: TrainingLosses): boolean {
  return run.losses.length > 0 && endLoss(run.losses) >= MARGIN * Math.log(run.classes)
}

/** Mean loss of the last tenth of the steps; NaN where there are none. */
export function endLoss(losses: readonly number[]): number {
  const last = losses.slice(-Math.ceil(END * losses.length))
  return last.reduce((sum, loss) => sum + loss, 0) / last.length
}

/** What to tell of a collapsed run. */
export function collapseWarning({ losses, classes }: TrainingLosses): string {
  const loss = endLoss(losses).toFixed(2)
  const chance = Math.log(classes).toFixed(2)
  return (
    `training ended no better than chance: the loss is ${loss}, and ${chance} for guessing among ${classes} classes; ` +
    'try another --seed, a smaller --lr or more --epochs'
  )
}
