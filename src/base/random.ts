import { UsageError } from './errors.ts'

/** A stream of random numbers; the same key always gives the same stream. */
export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  next(): number
  /** Uniform whole number in [0, n), without bias; n in 1..2^32. */
  int(n: number): number
  /** Standard normal deviate. */
  normal(): number
  /** A uniformly random order of 0..n-1. */
  permutation(n: number): Int32Array
}

/**
 * The random stream that belongs to a key, such as `randomFor('batches', seed, epoch)`. Because every use names its own
 * key, a resumed run draws what the uninterrupted one would have drawn, and no use disturbs another.
 * Numbers and strings are kept apart: 1 and '1' are different keys.
 *
 * xoshiro128** (Blackman & Vigna 2018), its state hashed from the key.
 *
 * @throws UsageError for a key with other things in it; its functions, for an n that is not as they say
 */
export function randomFor(...key: (number | string)[]): Random {
  if (!key.every(isKey)) {
    throw new UsageError('randomFor takes words and numbers', "write it like randomFor('batches', seed)")
  }
  const nextUint32 = xoshiro128(hashKey(key))
  const next = () => ((nextUint32() >>> 5) * 0x4000000 + (nextUint32() >>> 6)) / 0x20000000000000
  let spare: number | undefined

  function int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 0x100000000)
      throw new UsageError(`int(n) takes a whole n from 1 to 2^32, not ${n}`)
    // Values beyond the last whole multiple of n would favour small results: draw again.
    const limit = 0x100000000 - (0x100000000 % n)
    let value = nextUint32()
    while (value >= limit) value = nextUint32()
    return value % n
  }

  /** Marsaglia's polar method: two deviates a round, the second kept for the next call. */
  function normal(): number {
    if (spare !== undefined) {
      const kept = spare
      spare = undefined
      return kept
    }
    for (;;) {
      const u = 2 * next() - 1
      const v = 2 * next() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s)
        spare = v * scale
        return u * scale
      }
    }
  }

  function permutation(n: number): Int32Array {
    if (!Number.isInteger(n) || n < 0) throw new UsageError(`permutation(n) takes a whole n from 0 up, not ${n}`)
    const order = Int32Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = int(i + 1)
      const swapped = order[i]!
      order[i] = order[j]!
      order[j] = swapped
    }
    return order
  }

  return { next, int, normal, permutation }
}

const isKey = (part: unknown) => typeof part === 'string' || (typeof part === 'number' && !Number.isNaN(part))

type State = [number, number, number, number]

function xoshiro128(state: State): () => number {
  let [a, b, c, d] = state
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result >>> 0
  }
}

/** Four words from a key: four differently salted FNV-1a passes over its text, each mixed by murmur3's finaliser. */
function hashKey(key: readonly (number | string)[]): State {
  // A length before every part keeps ('ab', 'c') and ('a', 'bc') apart.
  const text = key.map((part) => `${typeof part === 'number' ? 'n' : 's'}${String(part).length}:${part}`).join('')
  const word = (salt: number) => {
    let hash = 0x811c9dc5 ^ salt
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return mix(hash ^ salt)
  }
  // `| 1` keeps the state from being all zeros, where xoshiro would stay.
  return [word(0x9e3779b9), word(0x3c6ef372), word(0xdaa66d2b), word(0x78dde6e4) | 1]
}

function mix(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k))
}
