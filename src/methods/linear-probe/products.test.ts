import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomFor } from '../../base/random.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { cluster } from '../../testing/clusters.ts'
import { distance } from '../../testing/distance.ts'
import { plainSolver } from './conjugate-gradients.ts'
import { crossEntropy } from './logistic-regression.ts'
import { isLarge, matrixProduct, plainProducts, runtimeProducts } from './products.ts'
import { runtimeSolver, sharedSolver } from './runtime-solver.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

describe('products', () => {
  it('of the runtime are those of this thread', async () => {
    const { x } = cluster(3, 4, 7, 1, 'products')
    const plain = plainProducts(Float64Array.from(x.data), 12, 7)
    const other = await runtimeProducts(runtime, x, 5)
    const random = randomFor('operands')
    const weights = Float64Array.from({ length: 35 }, () => random.normal())
    const residuals = Float64Array.from({ length: 60 }, () => random.normal())
    const outputs = await other.outputs(weights, 5)
    const gradient = await other.gradient(residuals, 5)
    await other.dispose()
    expect(distance(outputs, Array.from(await plain.outputs(weights, 5)))).toBeLessThan(1e-6)
    expect(distance(gradient, Array.from(await plain.gradient(residuals, 5)))).toBeLessThan(1e-6)
  })

  it('solve for the step that takes the gradient away, in both threads', async () => {
    const { x, labels } = cluster(5, 4, 7, 1, 'step')
    const plain = plainProducts(Float64Array.from(x.data), 20, 7)
    const random = randomFor('weights')
    const weights = Float64Array.from({ length: 35 }, () => random.normal() / 2)
    const penalties = new Float64Array(7).fill(0.1)
    const at = async (w: Float64Array) => {
      const { residuals } = await crossEntropy(await plain.outputs(w, 5), 5, labels)
      return { residuals, gradient: (await plain.gradient(residuals, 5)).map((g, k) => g + 0.1 * w[k]!) }
    }
    const { residuals, gradient } = await at(weights)
    const probabilities = residuals.map((r, k) => (k % 5 === labels[Math.floor(k / 5)] ? r + 1 / 20 : r))
    const inverse = Float64Array.from({ length: 35 }, (_, k) => 1 + (k % 3))
    const other = await runtimeSolver(runtime, x, labels, 5)
    // the rows of the system among others, in the second of three slots
    const wider = floatTensor(
      [26, 7],
      Float32Array.from({ length: 182 }, (_, k) => x.data[k - 42] ?? random.normal()),
    )
    const shared = await sharedSolver(runtime, wider, [0, 1, 2, 3, 4, 0, ...labels], 5, 3)
    const before = await shared.open([0, 1, 2, 3, 4, 5])
    const among = await shared.open(Array.from(labels, (_, i) => i + 6))
    await before.dispose()
    for (const [solver, bound] of [
      [plainSolver(plain, labels, 5), 1e-6],
      [other, 1e-4],
      [among, 1e-4],
    ] as const) {
      const enough = (scaled: number) => scaled <= bound / 100
      const step = await solver.solve({ probabilities, gradient, penalties, inverse }, enough)
      const [before, after] = [-1e-5, 1e-5].map((size) => at(weights.map((w, k) => w + size * step[k]!)))
      const [low, high] = [(await before!).gradient, (await after!).gradient]
      const change = high.map((g, k) => (g - low[k]!) / 2e-5)
      expect(
        distance(
          change.map((g) => -g),
          Array.from(gradient),
        ),
      ).toBeLessThan(bound)
    }
    await other.dispose()
    await among.dispose()
    await shared.dispose()
  })

  it('in one run for all that ask at a time, each as if alone, and more than there is room for one after the other', async () => {
    const { x, labels } = cluster(5, 4, 7, 1, 'shared')
    const plain = plainProducts(Float64Array.from(x.data), 20, 7)
    const systems = await Promise.all(
      [1, 2, 3, 4].map(async (factor) => {
        const random = randomFor('shared', factor)
        const outputs = await plain.outputs(
          Float64Array.from({ length: 35 }, () => random.normal()),
          5,
        )
        const { residuals } = await crossEntropy(outputs, 5, labels)
        return {
          probabilities: residuals.map((r, k) => (k % 5 === labels[Math.floor(k / 5)] ? r + 1 / 20 : r)),
          gradient: (await plain.gradient(residuals, 5)).map((g) => factor * g),
          penalties: new Float64Array(7).fill(0.1 * factor),
          inverse: new Float64Array(35).fill(1),
        }
      }),
    )
    const solved = async (slots: number) => {
      const shared = await sharedSolver(runtime, x, labels, 5, slots)
      const steps = await Promise.all(
        systems.map(async (system) => {
          const solver = await shared.open(Array.from(labels.keys()))
          return solver.solve(system, (scaled) => scaled <= 1e-7).finally(() => solver.dispose())
        }),
      )
      await shared.dispose()
      return steps
    }
    const [alone, together] = [await solved(1), await solved(3)]
    for (const [i, step] of together.entries()) {
      expect(distance(step, Array.from(alone[i]!))).toBeLessThan(1e-5)
      const exact = await plainSolver(plain, labels, 5).solve(systems[i]!, (scaled) => scaled <= 1e-9)
      expect(distance(step, Array.from(exact))).toBeLessThan(1e-4)
    }
  })

  it('of matrices are the sums that they are, small and large', async () => {
    for (const sizes of [
      [3, 5, 4],
      [220, 230, 240],
    ] as const) {
      const [n, m, d] = sizes
      const random = randomFor('matrices', n)
      const a = Float64Array.from({ length: n * m }, () => random.normal())
      const b = Float64Array.from({ length: m * d }, () => random.normal())
      const expected = Array.from({ length: n * d }, (_, at) => {
        const [i, j] = [Math.floor(at / d), at % d]
        let sum = 0
        for (let k = 0; k < m; k++) sum += a[i * m + k]! * b[k * d + j]!
        return sum
      })
      const bound = isLarge(n, m, d) ? 1e-6 : 1e-14
      expect(distance(await matrixProduct(runtime, a, b, sizes), expected)).toBeLessThan(bound)
    }
    expect([isLarge(3, 5, 4), isLarge(220, 230, 240)]).toEqual([false, true])
  })
})
