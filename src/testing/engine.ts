import { afterAll } from 'vitest'
import { type FloatTensor, floatTensor, type Shape, sizeOf, type Tensor, type Value } from '../graph/index.ts'
import { program } from '../graph/program.ts'
import { nodeRuntime } from '../node/runtime.ts'

/** One runtime for the tests of a file; closed after the last of them. */
export const engine = await nodeRuntime({ threads: 1 })
afterAll(() => engine.close())

/** Computes values of one graph. */
export async function evaluate<Name extends string>(
  outputs: Readonly<Record<Name, Value>>,
  feeds: Readonly<Record<string, Tensor>> = {},
): Promise<Record<Name, FloatTensor>> {
  const [some] = Object.values<Value>(outputs)
  if (some === undefined) throw new Error('nothing to evaluate')
  const session = await engine.load(program(some.graph, outputs))
  try {
    return await session.run(feeds)
  } finally {
    await session.dispose()
  }
}

/** Numbers in [0, 1) that depend on the seed alone (a 32-bit linear congruential generator's upper bits). */
export function uniform(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

/** A tensor of numbers in [-1, 1), or of what `draw` makes of them. */
export function randomTensor(shape: Shape, seed: number, draw: (u: number) => number = (u) => u): FloatTensor {
  const next = uniform(seed)
  const data = Float32Array.from({ length: sizeOf(shape) }, () => draw(2 * next() - 1))
  return floatTensor(shape, data)
}

/** Largest difference, relative to the largest expected magnitude (or 1). */
export function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let worst = 0
  let largest = 1
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i] ?? 0))
    const error = Math.abs((actual[i] ?? 0) - (expected[i] ?? 0))
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error)
  }
  return worst / largest
}
