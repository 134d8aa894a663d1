import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds of each round of something measured. */
export type Times = readonly number[]

/**
 * Runs all tasks in rounds, one after the other, every second round backwards: what slows the machine down for a while
 * slows down all of them. Before each there is a rest, in which the threads of the one before fall asleep, which wait for
 * work in a loop for some ms. Gives the times of each task. What a first run has to do more was done by the caller.
 */
export async function interleaved(tasks: readonly (() => Promise<unknown>)[], rounds: number): Promise<Times[]> {
  const measured = tasks.map((task) => ({ task, times: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { task, times } of round % 2 === 0 ? measured : measured.toReversed()) {
      await sleep(REST_MS)
      times.push((await timed(task)).ms)
    }
  }
  return measured.map(({ times }) => times)
}

const REST_MS = 50

export async function timed<T>(task: () => T | Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now()
  const result = await task()
  return { result, ms: performance.now() - start }
}

/** The middle value; of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** How many times the others, made in the same rounds, they are. */
export const ratios = (values: Times, others: Times): number[] =>
  values.map((value, round) => value / (others[round] ?? Number.NaN))
