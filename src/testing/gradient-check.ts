import { expect } from 'vitest'
import type { Program, Shape, Tensor, Value } from '../graph/index.ts'
import { type FloatTensor, floatTensor, Graph, gradients, mul, program, sum } from '../graph/index.ts'
import { engine, randomTensor } from './engine.ts'

export interface Agreement {
  /** Polynomial of degree two at most: a central difference is exact, however long its step. */
  readonly exact?: boolean
  /** Of the derivative, or absolute where that is less than 1. */
  readonly tolerance?: number
}

/** One way of using an operator, and where its gradient is checked. */
export interface GradientCase extends Agreement {
  readonly shapes: readonly Shape[]
  readonly build: (...xs: Value[]) => Value
  /** Turns a number of [-1, 1) into an input; default: as it is. */
  readonly domain?: (u: number) => number
}

/** How far the loss of a smooth case moves: the truncation error of the five-point formula is about STEP^4 / 30. */
const STEP = 0.03

/**
 * Compares gradients() with finite differences of the same program along random directions, through the runtime, for
 * the loss L = sum w f(x) with random w.
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
  const session = await engine.load(program<'y' | `g${number}`>(graph, { y, ...Object.fromEntries(outputs) }))
  const w = randomTensor(y.shape, seed + 100)
  const at = check.shapes.map((shape, i) => randomTensor(shape, seed + i, check.domain))
  const compute = async (points: readonly FloatTensor[]) => {
    const { y, ...gradient } = await session.run({ w, ...Object.fromEntries(points.map((x, i) => [`x${i}`, x])) })
    // summed here: float64
    return { loss: total(products(w, y)), gradient: points.map((_, i) => gradient[`g${i}`]) }
  }
  await expectDifferences(compute, at, check, seed, directions)
  await session.dispose()
}

/** Compares the gradients of a training step, made with `stepOf`, with finite differences of its loss. */
export async function checkStep(
  step: Program,
  tensors: ReadonlyMap<string, FloatTensor>,
  feeds: Readonly<Record<string, Tensor>>,
  agreement: Agreement = {},
): Promise<void> {
  const session = await engine.load(step)
  const names = [...tensors.keys()]
  const compute = async (points: readonly FloatTensor[]) => {
    const outputs = await session.run({ ...feeds, ...Object.fromEntries(points.map((x, i) => [names[i], x])) })
    return { loss: outputs.loss?.data[0] ?? Number.NaN, gradient: names.map((name) => outputs[`gradient.${name}`]) }
  }
  await expectDifferences(compute, [...tensors.values()], agreement)
  await session.dispose()
}

/**
 * Expects the gradient g of a loss L to be that of its finite differences: dL/dt L(x + t d) at t = 0 is sum_i g_i d_i.
 * Directions d are random but for their signs, which are those of g: so no terms cancel that could hide an error. Where
 * the sum would be more than 1 they are shortened to make it 1.
 */
async function expectDifferences(
  compute: (at: readonly FloatTensor[]) => Promise<{ loss: number; gradient: readonly (FloatTensor | undefined)[] }>,
  at: readonly FloatTensor[],
  { exact = false, tolerance = exact ? 1e-6 : 5e-5 }: Agreement = {},
  seed = 1,
  directions = 2,
): Promise<void> {
  const { gradient } = await compute(at)
  for (const [i, { shape }] of at.entries()) expect(gradient[i]?.shape).toEqual(shape)

  for (let k = 0; k < directions; k++) {
    const random = at.map(({ shape }, i) => randomTensor(shape, seed + 1000 * (k + 1) + i))
    const climbing = random.map((u, i) => withSigns(u, gradient[i]))
    const derivative = total(climbing.flatMap((d, i) => products(d, gradient[i])))
    const unit = 1 / Math.max(1, derivative)
    const along = async (t: number) => (await compute(at.map((x, i) => moved(x, climbing[i] ?? x, t * unit)))).loss
    const central = async (t: number) => ((await along(t)) - (await along(-t))) / (2 * t)
    const difference = exact ? await central(1 / unit) : (4 * (await central(STEP)) - (await central(2 * STEP))) / 3
    const error = Math.abs(derivative * unit - difference)
    expect(error, `gradient ${derivative * unit}, difference ${difference}`).toBeLessThan(tolerance)
  }
}

const total = (terms: readonly number[]) => terms.reduce((a, b) => a + b, 0)

function products(a: FloatTensor, b: FloatTensor | undefined): number[] {
  expect(b?.data.length).toBe(a.data.length)
  return Array.from(a.data, (x, i) => x * (b?.data[i] ?? 0))
}

/** The numbers of a with the signs of b; as they are where b is 0. */
const withSigns = (a: FloatTensor, b: FloatTensor | undefined) =>
  floatTensor(
    a.shape,
    a.data.map((u, i) => (u * (b?.data[i] ?? 0) < 0 ? -u : u)),
  )

const moved = (x: FloatTensor, d: FloatTensor, t: number) =>
  floatTensor(
    x.shape,
    x.data.map((v, i) => v + t * (d.data[i] ?? 0)),
  )
