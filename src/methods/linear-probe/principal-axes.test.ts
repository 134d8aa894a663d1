import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomFor } from '../../base/random.ts'
import { longestHold, UNNOTICED } from '../../testing/ticks.ts'
import { principalAxes } from './principal-axes.ts'
import { symmetricEigen } from './symmetric-eigen.ts'

const sizes = fc.record({ n: fc.integer({ min: 1, max: 12 }), d: fc.integer({ min: 1, max: 12 }), key: fc.nat() })

function randomRows(n: number, d: number, key: number, rank = d): Float64Array {
  const random = randomFor('rows', key)
  const directions = Float64Array.from({ length: rank * d }, () => random.normal())
  return Float64Array.from({ length: n }, () => 0).reduce(
    (rows, _, i) => {
      for (let k = 0; k < rank; k++) {
        const weight = random.normal() * 10 ** -k
        for (let j = 0; j < d; j++) rows[i * d + j]! += weight * directions[k * d + j]!
      }
      return rows
    },
    new Float64Array(n * d),
  )
}

function expectOrthogonal(rows: Float64Array, count: number, d: number): void {
  for (let a = 0; a < count; a++) {
    for (let b = 0; b <= a; b++) {
      let product = 0
      for (let j = 0; j < d; j++) product += rows[a * d + j]! * rows[b * d + j]!
      expect(product).toBeCloseTo(a === b ? 1 : 0, 5)
    }
  }
}

describe('eigenvectors of a symmetric matrix', () => {
  const expectEigen = async (matrix: Float64Array, n: number) => {
    const { values, vectors } = await symmetricEigen(matrix, n)
    const size = Math.max(1e-300, ...Array.from(matrix, Math.abs))
    expectOrthogonal(vectors, n, n)
    for (let k = 0; k < n; k++) {
      if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]!)
      for (let i = 0; i < n; i++) {
        let product = 0
        for (let j = 0; j < n; j++) product += matrix[i * n + j]! * vectors[k * n + j]!
        expect(Math.abs(product - values[k]! * vectors[k * n + i]!)).toBeLessThan(1e-12 * n * size)
      }
    }
  }

  it('are that of any matrix', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.nat(), async (n, key) => {
        const random = randomFor('symmetric', key)
        const matrix = new Float64Array(n * n)
        for (let i = 0; i < n; i++) {
          // some entries are 0: blocks that do not touch each other
          for (let j = 0; j <= i; j++) matrix[i * n + j] = matrix[j * n + i] = random.next() < 0.3 ? 0 : random.normal()
        }
        await expectEigen(matrix, n)
      }),
    )
  })

  it('also where eigenvalues are the same, 0, or far apart', async () => {
    await expectEigen(new Float64Array(9), 3)
    await expectEigen(Float64Array.of(2, 0, 0, 0, 2, 0, 0, 0, 2), 3)
    await expectEigen(new Float64Array(25).fill(1), 5)
    await expectEigen(Float64Array.of(1e8, 1, 0, 1, 1, 1e-4, 0, 1e-4, 1e-8), 3)
  })
})

describe('principal axes', () => {
  it('are orthogonal and give the rows back, whether there are more rows or more columns', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ n, d, key }) => {
        const x = randomRows(n, d, key, Math.min(d, 4))
        const { rank, axes, squares, mean, coordinates } = await principalAxes(x, n, d)
        expectOrthogonal(axes, rank, d)
        expect(rank).toBeLessThan(Math.max(2, n))
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < d; j++) {
            let value = mean[j]!
            for (let k = 0; k < rank; k++) value += coordinates[i * (rank + 1) + k]! * axes[k * d + j]!
            expect(value).toBeCloseTo(x[i * d + j]!, 4)
          }
        }
        for (let k = 0; k < rank; k++) {
          let sum = 0
          for (let i = 0; i < n; i++) sum += coordinates[i * (rank + 1) + k]! ** 2
          expect(Math.abs(sum - squares[k]!)).toBeLessThan(1e-6 * squares[0]!)
        }
      }),
    )
  })

  it('leave the thread to others while they are sought', async () => {
    const rows = randomRows(1000, 256, 1)
    expect(await longestHold(() => principalAxes(rows, 1000, 256))).toBeLessThan(UNNOTICED)
  })

  it('of rows that are all the same are none', async () => {
    expect((await principalAxes([1, 2, 1, 2], 2, 2)).rank).toBe(0)
  })
})
