import { expect } from 'vitest'
import type { Shape, Value } from '../graph/index.ts'
import { type FloatTensor, floatTensor, Graph, gradients, mul, program, sum } from '../graph/index.ts'
import { engine, randomTensor } from './engine.ts'

/** One way of using an operator, and where its gradient is checked. */
export interface GradientCase {
  readonly shapes: readonly Shape[]
  readonly build: (...xs: Value[]) => Value
  /** Turns a number of [-1, 1) into an input; default: as it is. */
  readonly domain?: (u: number) => number
  /** Polynomial of degree two at most: a central difference with step 1 is exact. */
  readonly exact?: boolean
  /** Relative to the sum of the magnitudes that make up the derivative. */
  readonly tolerance?: number
}

/** Step of the smooth cases: the truncation error of the five-point formula is about step^4 / 30. */
const STEP = 0.03

/**
 * Compares gradients() with finite differences of the same program along random directions, through the runtime:
 * with L = sum w f(x) for random w,  dL/dt f(x + t d) at t = 0  is  sum_i g_i d_i.
 */
export async function checkGradient(check: GradientCase, seed = 1, directions = 2): Promise<void> {
  const graph = new Graph()
  const xs = check.shapes.map((shape, i) => graph.input(`x${i}`, shape))
  const y = check.build(...xs)
  const loss = sum(
    mul(y, graph.input('w', y.shape)),
    y.shape.map((_, axis) => axis),
  )
  const outputs = gradients(loss, xs).map((dx, i) => [`g${i}`, dx] as const)
  const session = await engine.load(program(graph, { y, ...Object.fromEntries(outputs) }))
  const w = randomTensor(y.shape, seed + 100)
  const at = check.shapes.map((shape, i) => randomTensor(shape, seed + i, check.domain))
  const run = (points: readonly FloatTensor[]) =>
    session.run({ w, ...Object.fromEntries(points.map((x, i) => [`x${i}`, x])) })
  const gradient = await run(at)
  for (const [i, shape] of check.shapes.entries()) expect(gradient[`g${i}`]?.shape).toEqual(shape)

  for (let k = 0; k < directions; k++) {
    const direction = check.shapes.map((shape, i) => randomTensor(shape, seed + 1000 * (k + 1) + i))
    const terms = direction.flatMap((d, i) => products(d, gradient[`g${i}`]))
    const along = async (t: number) => {
      const { y } = await run(at.map((x, i) => moved(x, direction[i] ?? x, t)))
      return total(products(w, y))
    }
    const central = async (t: number) => ((await along(t)) - (await along(-t))) / (2 * t)
    const difference = check.exact ? await central(1) : (4 * (await central(STEP)) - (await central(2 * STEP))) / 3
    const scale = Math.max(1, total(terms.map(Math.abs)))
    const error = Math.abs(total(terms) - difference) / scale
    expect(error, `gradient ${total(terms)}, difference ${difference}`).toBeLessThan(
      check.tolerance ?? (check.exact ? 1e-6 : 2e-5),
    )
  }
  await session.dispose()
}

const total = (terms: readonly number[]) => terms.reduce((a, b) => a + b, 0)

function products(a: FloatTensor, b: FloatTensor | undefined): number[] {
  expect(b?.data.length).toBe(a.data.length)
  return Array.from(a.data, (x, i) => x * (b?.data[i] ?? 0))
}

const moved = (x: FloatTensor, d: FloatTensor, t: number) =>
  floatTensor(
    x.shape,
    x.data.map((v, i) => v + t * (d.data[i] ?? 0)),
  )
