import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import { add, type FloatTensor, floatTensor, matmul, reshape, type Value } from '../graph/index.ts'
import type { Runtime } from '../runtime/types.ts'
import { engine, randomTensor, worstError } from '../testing/engine.ts'
import { unitRows } from './logits.ts'
import { mapRows, rowFunction } from './rows.ts'

const [width, columns] = [3, 2]
const weights = randomTensor([width, columns], 1)

/** Rows `(n, 3)` -> `(n, 2, 1)`. */
const f = (x: Value) => reshape(matmul(unitRows(x), x.graph.constant(weights)), [x.shape[0] ?? 0, columns, 1])

/** The same in float64, a row at a time. */
function expected({ shape, data }: FloatTensor): number[] {
  return Array.from({ length: shape[0] ?? 0 }, (_, i) => {
    const row = data.subarray(i * width, (i + 1) * width)
    const length = Math.hypot(...row) || 1
    return [0, 1].map((c) => row.reduce((sum, x, j) => sum + (x / length) * (weights.data[j * columns + c] ?? 0), 0))
  }).flat()
}

/** The engine, with what is loaded counted; the runs of these numbers, from 1 on, fail. */
function watched(...failing: number[]) {
  const counts = { loaded: 0, held: 0, runs: 0 }
  const runtime: Runtime = {
    ...engine,
    device: engine.device,
    close: () => engine.close(),
    async load(program) {
      const session = await engine.load(program)
      counts.loaded++
      counts.held++
      return {
        run: (feeds) =>
          failing.includes(++counts.runs) ? Promise.reject(new Error('the run broke')) : session.run(feeds),
        dispose: async () => {
          counts.held--
          await session.dispose()
        },
      }
    },
  }
  return { runtime, counts }
}

describe('a function of rows', () => {
  const around = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: -1, max: 1 })).map(([k, by]) => 2 ** k + by)
  const problems = fc.record({
    n: fc.oneof(around, fc.integer({ min: 0, max: 70 })),
    most: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(1000),
    zeros: fc.array(fc.nat(69)),
  })

  it('gives each row what it gives alone, in order, whatever the number of rows and of those of a run', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async ({ n, most, seed, zeros }) => {
        const x = randomTensor([n, width], seed)
        for (const row of zeros) x.data.fill(0, row * width, (row + 1) * width)
        const rows = rowFunction(engine, [width], f, most)
        const dones: number[] = []
        const y = await rows.all(x, { onProgress: ({ done, total }) => dones.push(done / total) })
        expect(y.shape).toEqual([n, columns, 1])
        expect(worstError(y.data, expected(x))).toBeLessThan(1e-6)
        expect(dones).toEqual([...dones].sort((a, b) => a - b))
        expect(dones.at(-1) ?? 1).toBe(1)

        const shown: number[] = []
        await rows.each(x, (some, first) => {
          const of = some.shape[0] ?? 0
          expect(of).toBeLessThanOrEqual(most)
          expect(first).toBeLessThanOrEqual(shown.length / columns) // none is left out
          expect(first + of).toBeGreaterThan(shown.length / columns)
          shown.length = first * columns
          shown.push(...some.data)
        })
        expect(shown).toEqual([...y.data])
        await rows.dispose()
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('asked twice at the same time gives each its own', async () => {
    const rows = rowFunction(engine, [width], f, 8)
    const asked = [50, 13, 1, 50].map((n, i) => randomTensor([n, width], i))
    const given = await Promise.all(asked.map((x) => rows.all(x)))
    for (const [i, x] of asked.entries()) expect(worstError(given[i]?.data ?? [], expected(x))).toBeLessThan(1e-6)
    await rows.dispose()
  })

  it('rejects where a run fails, shows nothing after that, and goes on to work', async () => {
    const x = randomTensor([64, width], 1)
    for (const failing of [[1], [2], [4], [8], [3, 4]]) {
      const { runtime } = watched(...failing)
      const rows = rowFunction(runtime, [width], f, 8)
      let shown = 0
      await expect(rows.each(x, () => shown++)).rejects.toThrow('the run broke')
      const before = shown
      expect(worstError((await rows.all(x)).data, expected(x))).toBeLessThan(1e-6)
      expect(shown).toBe(before)
      await rows.dispose()
    }
  })

  it('rejects where what is shown cannot be used', async () => {
    const rows = rowFunction(engine, [width], f, 8)
    const useless = () => {
      throw new Error('the disk is full')
    }
    await expect(rows.each(randomTensor([64, width], 1), useless)).rejects.toThrow('the disk is full')
    await rows.dispose()
  })

  it('makes a program once for a power of two of rows, and frees all of them', async () => {
    const { runtime, counts } = watched()
    const rows = rowFunction(runtime, [width], f, 8)
    for (const n of [5, 8, 100, 6]) await rows.all(randomTensor([n, width], n))
    expect(counts).toMatchObject({ loaded: 1, held: 1 })
    await Promise.all([1, 2, 3, 4].map((n) => rows.all(randomTensor([n, width], n))))
    expect(counts).toMatchObject({ loaded: 4, held: 4 })
    await rows.dispose()
    expect(counts.held).toBe(0)
    expect((await mapRows(runtime, randomTensor([9, width], 9), f)).shape).toEqual([9, columns, 1])
    expect(counts.held).toBe(0)
  })

  it('hears of a program that cannot be made, and can be disposed', async () => {
    const rows = rowFunction(engine, [width], (x) => add(x, x.graph.input('other', [width])))
    await expect(rows.all(randomTensor([2, width], 1))).rejects.toThrow(/other is not fed/)
    await rows.dispose()
    const broken: Runtime = {
      ...engine,
      device: engine.device,
      close: engine.close,
      load: () => Promise.reject(new Error('no memory')),
    }
    const none = rowFunction(broken, [width], f)
    const asked = none.all(randomTensor([2, width], 1))
    await Promise.all([expect(asked).rejects.toThrow('no memory'), none.dispose()])
  })

  it('refuses rows of another shape', async () => {
    const rows = rowFunction(engine, [width], f)
    await expect(rows.all(floatTensor([2, 4]))).rejects.toThrow(ShapeError)
    await expect(rows.all(floatTensor([2, 3, 1]))).rejects.toThrow('rows are (n, 3), not (2, 3, 1)')
  })
})
