import { breathe, breathing } from '../../base/breathe.ts'
import type { Hooks } from '../../base/progress.ts'
import { randomFor } from '../../base/random.ts'
import { dims, type FloatTensor } from '../../graph/tensor.ts'
import { principalAxes } from '../../methods/linear-probe/principal-axes.ts'
import type { Neighbours } from './neighbours.ts'

/** UMAP's curve 1 / (1 + a d^(2 b)) for a least distance of 0.5 and a spread of 1: what is alike still lies side by side. */
const [A, B] = [0.583, 1.3342]
const EPOCHS = 200
/** Pictures pushed away for each one drawn near. */
const PUSHED = 5
/** No step is longer, in either direction. */
const LONGEST = 4
/** Half the width of the map that it starts from. */
const RADIUS = 10

/**
 * A map of pictures, on which neighbours are near each other: UMAP (McInnes, Healy and Melville, arXiv 1802.03426) of the
 * neighbours' graph, from the two leading principal components on. The same features give the same map.
 *
 * @param x `(n, d)` from their mean
 * @returns `(n, 2)`, both coordinates from 0 to 1
 */
export async function mapOf(x: FloatTensor, neighbours: Neighbours, { signal }: Hooks = {}): Promise<Float32Array> {
  const map = await principalPlane(x)
  const edges = await weightedEdges(x.shape[0] ?? 0, neighbours)
  await layOut(map, edges, signal)
  return fitted(map)
}

/** Rows that say well enough which axes are the principal ones. */
const MOST_ROWS = 300

/** Coordinates along the two leading principal axes, within RADIUS of 0. */
async function principalPlane(x: FloatTensor): Promise<Float32Array> {
  const [n, d] = dims(x, 2)
  const random = randomFor('map', 'plane')
  const some = random.permutation(n).subarray(0, MOST_ROWS)
  const rows = new Float64Array(some.length * d)
  for (const [k, i] of some.entries()) rows.set(x.data.subarray(i * d, (i + 1) * d), k * d)
  const { axes } = await principalAxes(rows, some.length, d)
  const plane = new Float32Array(2 * n)
  await breathing(n, (i) => {
    for (const axis of AXES) {
      // fewer axes where pictures are equal
      for (let j = 0; j < d; j++) plane[2 * i + axis]! += x.data[i * d + j]! * (axes[axis * d + j] ?? 0)
    }
  })
  const widest = plane.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1
  // equal pictures must not lie on one point, from which nothing leads away
  return plane.map((value) => (RADIUS * value) / widest + 1e-3 * random.normal())
}

interface Edges {
  readonly from: Int32Array
  readonly to: Int32Array
  /** From 0 to 1. */
  readonly weights: Float32Array
}

/**
 * The neighbours' graph: picture i is as near to j as exp(-(d_ij - d_i,nearest) / s_i), d = 1 - cosine, with s_i such that its
 * neighbours count log2 k in all; both directions a and b become a + b - a b.
 */
async function weightedEdges(n: number, { count, indices, cosines }: Neighbours): Promise<Edges> {
  const near = new Float32Array(n * count)
  await breathing(n, (i) => {
    const beyond = Float64Array.from({ length: count }, (_, k) => cosines[i * count]! - cosines[i * count + k]!)
    const scale = scaleFor(beyond)
    for (let k = 0; k < count; k++) near[i * count + k] = Math.exp(-beyond[k]! / scale)
  })
  const weights = new Map<number, number>()
  await breathing(n, (i) => {
    for (let k = i * count; k < (i + 1) * count; k++) {
      const j = indices[k]!
      const key = Math.min(i, j) * n + Math.max(i, j)
      const other = weights.get(key) ?? 0
      weights.set(key, near[k]! + other - near[k]! * other)
    }
  })
  const keys = [...weights.keys()]
  return {
    from: Int32Array.from(keys, (key) => Math.floor(key / n)),
    to: Int32Array.from(keys, (key) => key % n),
    weights: Float32Array.from(weights.values()),
  }
}

/** By bisection of the scale's logarithm. */
function scaleFor(beyond: Float64Array): number {
  const wanted = Math.log2(beyond.length + 1)
  let [low, high] = [1e-6, 1e3]
  for (let round = 0; round < 40; round++) {
    const scale = Math.sqrt(low * high)
    const total = beyond.reduce((sum, d) => sum + Math.exp(-d / scale), 0)
    if (total > wanted) high = scale
    else low = scale
  }
  return Math.sqrt(low * high)
}

/**
 * Moves the points: along an edge as often as it weighs, y_i by 2 a b d^(2(b-1)) / (1 + a d^(2b)) (y_j - y_i), and away from points
 * drawn at random by 2 b / ((0.001 + d^2) (1 + a d^(2b))), in steps that shrink to nothing.
 */
async function layOut(map: Float32Array, { from, to, weights }: Edges, signal: AbortSignal | undefined): Promise<void> {
  const n = map.length / 2
  const random = randomFor('map', 'steps')
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0)
  const due = weights.map((weight) => weight / heaviest)
  const owed = Float32Array.from(due)
  const step = (value: number, rate: number) => rate * Math.max(-LONGEST, Math.min(LONGEST, value))
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    signal?.throwIfAborted()
    const rate = 1 - epoch / EPOCHS
    for (let e = 0; e < weights.length; e++) {
      if (owed[e]! < 1) {
        owed[e]! += due[e]!
        continue
      }
      owed[e]! += due[e]! - 1
      const [i, j] = [2 * from[e]!, 2 * to[e]!]
      const square = (map[i]! - map[j]!) ** 2 + (map[i + 1]! - map[j + 1]!) ** 2
      const pull = square > 0 ? (-2 * A * B * square ** (B - 1)) / (1 + A * square ** B) : 0
      for (const axis of AXES) {
        const moved = step(pull * (map[i + axis]! - map[j + axis]!), rate)
        map[i + axis]! += moved
        map[j + axis]! -= moved
      }
      for (let pushed = 0; pushed < PUSHED; pushed++) {
        const other = 2 * random.int(n)
        if (other === i) continue
        const apart = (map[i]! - map[other]!) ** 2 + (map[i + 1]! - map[other + 1]!) ** 2
        const push = (2 * B) / ((0.001 + apart) * (1 + A * apart ** B))
        for (const axis of AXES) map[i + axis]! += step(push * (map[i + axis]! - map[other + axis]!), rate)
      }
      const breath = breathe()
      if (breath) await breath
    }
  }
}

const AXES = [0, 1] as const

/** Both coordinates from 0 to 1. */
function fitted(map: Float32Array): Float32Array {
  const ends = AXES.map((axis) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let i = axis; i < map.length; i += 2) [low, high] = [Math.min(low, map[i]!), Math.max(high, map[i]!)]
    return { low, span: high - low || 1 }
  })
  return map.map((value, i) => {
    const { low, span } = ends[i % 2]!
    return (value - low) / span
  })
}
