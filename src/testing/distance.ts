import { expect } from 'vitest'

/** Largest difference of as many numbers, relative to the largest of b. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a).toHaveLength(b.length)
  const size = Math.max(...Array.from(b, Math.abs)) || 1
  return Math.max(...Array.from(b, (x, i) => Math.abs(x - (a[i] ?? Number.NaN)))) / size
}
