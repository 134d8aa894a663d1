import type { Hooks } from '../../base/progress.ts'
import { matmul } from '../../graph/index.ts'
import { dims, type FloatTensor } from '../../graph/tensor.ts'
import { rowFunction } from '../../learning/rows.ts'
import type { Runtime } from '../../runtime/types.ts'

/** The nearest other pictures of each. */
export interface Neighbours {
  /** How many each has. */
  readonly count: number
  /** `(n, count)`, nearest first. */
  readonly indices: Int32Array
  /** Their cosines, `(n, count)`. */
  readonly cosines: Float32Array
}

/** The `most` nearest others of each row `(n, d)` of length 1, by their cosine; of equal ones the first. */
export async function nearestOthers(
  runtime: Runtime,
  x: FloatTensor,
  most: number,
  { signal }: Hooks = {},
): Promise<Neighbours> {
  const [n, d] = dims(x, 2)
  const count = Math.max(0, Math.min(most, n - 1))
  const indices = new Int32Array(n * count)
  const cosines = new Float32Array(n * count).fill(Number.NEGATIVE_INFINITY)
  if (count === 0) return { count, indices, cosines }
  const rows = rowFunction(runtime, [d], (some) => matmul(some, some.graph.weight('all', x), { transB: true }))
  const show = (y: FloatTensor, first: number) => {
    signal?.throwIfAborted()
    const found = y.data.length / n
    for (let r = 0; r < found; r++) {
      const start = (first + r) * count
      for (let j = 0; j < n; j++) {
        const cosine = y.data[r * n + j]!
        if (j === first + r || cosine <= cosines[start + count - 1]!) continue
        let place = start + count - 1
        for (; place > start && cosines[place - 1]! < cosine; place--) {
          cosines[place] = cosines[place - 1]!
          indices[place] = indices[place - 1]!
        }
        cosines[place] = cosine
        indices[place] = j
      }
    }
  }
  await rows.each(x, show).finally(() => rows.dispose())
  return { count, indices, cosines }
}
