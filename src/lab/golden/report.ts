import { CoopError } from '../../base/errors.ts'
import type { FloatTensor } from '../../graph/tensor.ts'

/** What the checks found: a line each, and how many passed and failed. */
export interface Report {
  /** A figure and its bound; NaN fails. */
  measure(what: string, error: number, bound: number, note?: string): void
  fail(what: string, reason: string): void
  /** Something that this folder does not have, or this code not yet. */
  skip(what: string, reason: string): void
  /** Does a check's work; what it throws becomes a line that says FAIL, and the next check goes on. */
  attempt(what: string, work: () => unknown): Promise<void>
  counts(): { readonly passed: number; readonly failed: number }
}

export function createReport(print: (line: string) => void): Report {
  let passed = 0
  let failed = 0
  const fail = (what: string, reason: string) => {
    failed++
    print(`${what}: ${reason.replaceAll('\n', ' ')}  FAIL`)
  }
  return {
    measure(what, error, bound, note) {
      const ok = error <= bound // not so for NaN
      if (ok) passed++
      else failed++
      const figures = `worst error ${figure(error)}, bound ${figure(bound)}`
      print(`${what}: ${figures}${note === undefined ? '' : ` (${note})`}  ${ok ? 'ok' : 'FAIL'}`)
    },
    fail,
    skip: (what, reason) => print(`${what}: ${reason}  skip`),
    async attempt(what, work) {
      try {
        await work()
      } catch (error) {
        if (error instanceof CoopError || error instanceof Error) fail(what, error.message)
        else fail(what, String(error))
      }
    },
    counts: () => ({ passed, failed }),
  }
}

/** A figure as the lines show it. */
export function figure(x: number): string {
  if (x === 0 || Number.isInteger(x)) return String(x)
  return x.toExponential(1)
}

/** Largest difference, relative to the largest entry expected. Throws CoopError when the sizes differ. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return absoluteError(actual, expected) / (largest(expected) || 1)
}

/** Largest difference. NaN on either side gives NaN. Throws CoopError when the sizes differ. */
export function absoluteError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new CoopError(`${actual.length} values were computed, the folder has ${expected.length}`)
  }
  return largest(Array.from(actual, (x, i) => x - (expected[i] ?? Number.NaN)))
}

/** The largest magnitude; NaN when there is one among the values. */
export function largest(values: ArrayLike<number>): number {
  let found = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] ?? 0)
    if (Number.isNaN(size)) return Number.NaN
    if (size > found) found = size
  }
  return found
}

/** Throws CoopError when a tensor of the folder has not the shape that the check needs. */
export function expectShape(
  name: string,
  tensor: Pick<FloatTensor, 'shape'> | { shape: readonly number[] },
  shape: readonly number[],
): void {
  if (tensor.shape.join() === shape.join()) return
  throw new CoopError(`${name} is (${tensor.shape.join(', ')}), expected (${shape.join(', ')})`)
}
