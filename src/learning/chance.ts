import type { Step } from './types.ts'

/**
 * Whether answers are right no more often than chance makes them: within a standard deviation of what somebody gets who
 * gives each answer as often, but blindly. For one answer to all, and for blind guesses among balanced classes, that is
 * the share of right answers they have.
 *
 *     p = sum over classes of (share of the answers) (share of the labels),   right <= n p + sqrt(n p (1 - p))
 */
export function atChance(answers: readonly number[], labels: readonly number[]): boolean {
  const n = labels.length
  const count = (classes: readonly number[]) => {
    const counts = new Map<number, number>()
    for (const c of classes) counts.set(c, (counts.get(c) ?? 0) + 1)
    return counts
  }
  const answered = count(answers)
  const p = [...count(labels)].reduce((sum, [c, times]) => sum + ((answered.get(c) ?? 0) / n) * (times / n), 0)
  const right = labels.filter((label, i) => answers[i] === label).length
  return right <= n * p + Math.sqrt(n * p * (1 - p))
}

/** Share of the steps, at the beginning and at the end of learning, that say how it began and ended. */
const END = 0.1

/** Mean of the last tenth; NaN where there is nothing. */
export function endOf(values: readonly number[]): number {
  return mean(values.slice(-Math.ceil(END * values.length)))
}

/** Mean loss of the first and of the last tenth of the steps; undefined where there are none. */
export function lossOf(steps: readonly Step[]): { readonly first: number; readonly last: number } | undefined {
  if (steps.length === 0) return undefined
  const losses = steps.map(({ loss }) => loss)
  return { first: endOf(losses.toReversed()), last: endOf(losses) }
}

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length

/** Fewer steps say nothing about where a loss goes. */
const FEW = 10
/** A loss that fell by less than this share has not left its start. */
const FALL = 0.01

/** Whether the loss ended where it began, or above. */
export function neverFell(steps: readonly Step[]): boolean {
  const loss = lossOf(steps)
  return loss !== undefined && steps.length >= FEW && loss.last > (1 - FALL) * loss.first
}
