/**
 * CPython's `random.Random` seeded with an integer: the very numbers that `random.seed(n)` leads to in Python 3, so
 * that subsets drawn here are those of the published experiments.
 * The generator is MT19937 (Matsumoto & Nishimura 1998); the methods follow CPython's documented `random` module.
 */
export class PythonRandom {
  private readonly state: Uint32Array
  private index = STATE_SIZE

  /** `random.seed(seed)`: any integer; the sign is dropped, as Python does. Throws RangeError for other numbers. */
  constructor(seed: number | bigint) {
    this.state = stateFromKey(seedKey(seed))
  }

  /** `random.random()`: uniform in [0, 1), 53 bits. */
  random(): number {
    const high = this.nextUint32() >>> 5
    const low = this.nextUint32() >>> 6
    return (high * 0x4000000 + low) / 0x20000000000000
  }

  /** `random.getrandbits(bits)` for 0 to 53 bits, what a JavaScript number holds exactly. */
  getrandbits(bits: number): number {
    if (!Number.isInteger(bits) || bits < 0 || bits > 53) throw new RangeError(`bits must be 0..53, got ${bits}`)
    if (bits === 0) return 0
    if (bits <= 32) return this.nextUint32() >>> (32 - bits)
    const low = this.nextUint32()
    const high = this.nextUint32() >>> (64 - bits)
    return high * 0x100000000 + low
  }

  /** `random.randrange(start, stop, step)`, or `randrange(stop)`. */
  randrange(start: number, stop?: number, step = 1): number {
    if (stop === undefined) return this.randrange(0, start)
    const count = step === 0 ? 0 : Math.ceil((stop - start) / step)
    if (![start, stop, step].every(Number.isSafeInteger) || count < 1) {
      throw new RangeError(`empty or fractional range for randrange(${start}, ${stop}, ${step})`)
    }
    return start + step * this.randbelow(count)
  }

  /** `random.sample(population, k)`: k different items in the order drawn. */
  sample<T>(population: readonly T[], k: number): T[] {
    const n = population.length
    if (!Number.isInteger(k) || k < 0 || k > n) throw new RangeError(`cannot sample ${k} of ${n} items`)
    return n <= poolLimit(k) ? this.sampleFromPool(population, k) : this.sampleByRejection(population, k)
  }

  /** `random.shuffle(items)`, in place. */
  shuffle<T>(items: T[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.randbelow(i + 1)
      const swapped = items[i]!
      items[i] = items[j]!
      items[j] = swapped
    }
  }

  private sampleFromPool<T>(population: readonly T[], k: number): T[] {
    const pool = [...population]
    return Array.from({ length: k }, (_, i) => {
      const last = population.length - i - 1
      const j = this.randbelow(last + 1)
      const picked = pool[j]!
      pool[j] = pool[last]!
      return picked
    })
  }

  private sampleByRejection<T>(population: readonly T[], k: number): T[] {
    const selected = new Set<number>()
    while (selected.size < k) selected.add(this.randbelow(population.length))
    return Array.from(selected, (j) => population[j]!)
  }

  /** Uniform in [0, n): draws as many bits as n has until they are below n. */
  private randbelow(n: number): number {
    const bits = bitLength(n)
    let value = this.getrandbits(bits)
    while (value >= n) value = this.getrandbits(bits)
    return value
  }

  private nextUint32(): number {
    if (this.index >= STATE_SIZE) {
      twist(this.state)
      this.index = 0
    }
    let y = this.state[this.index++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }
}

const STATE_SIZE = 624
const SHIFT = 397

/** Populations up to this size are copied and drawn from; larger ones are drawn by rejection (CPython's switch). */
function poolLimit(k: number): number {
  return k <= 5 ? 21 : 21 + 4 ** Math.ceil(Math.log(k * 3) / Math.log(4))
}

function bitLength(n: number): number {
  return n < 0x100000000 ? 32 - Math.clz32(n) : 32 + bitLength(Math.floor(n / 0x100000000))
}

/** The absolute value of the seed in 32-bit words, lowest first; [0] for zero. */
function seedKey(seed: number | bigint): number[] {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new RangeError(`a seed is a whole number, got ${seed}`)
  }
  let rest = BigInt(seed)
  if (rest < 0n) rest = -rest
  const words: number[] = []
  do {
    words.push(Number(rest & 0xffffffffn))
    rest >>= 32n
  } while (rest > 0n)
  return words
}

/** MT19937's `init_by_array`. */
function stateFromKey(key: readonly number[]): Uint32Array {
  const state = new Uint32Array(STATE_SIZE)
  state[0] = 19650218
  for (let i = 1; i < STATE_SIZE; i++) state[i] = Math.imul(scramble(state[i - 1]!), 1812433253) + i

  let i = 1
  const advance = () => {
    i++
    if (i < STATE_SIZE) return
    state[0] = state[STATE_SIZE - 1]!
    i = 1
  }
  for (let k = 0; k < Math.max(STATE_SIZE, key.length); k++) {
    const j = k % key.length
    state[i] = (state[i]! ^ Math.imul(scramble(state[i - 1]!), 1664525)) + key[j]! + j
    advance()
  }
  for (let k = 1; k < STATE_SIZE; k++) {
    state[i] = (state[i]! ^ Math.imul(scramble(state[i - 1]!), 1566083941)) - i
    advance()
  }
  state[0] = 0x80000000
  return state
}

function scramble(word: number): number {
  return word ^ (word >>> 30)
}

/** Replaces the state by the next 624 words. */
function twist(state: Uint32Array): void {
  for (let i = 0; i < STATE_SIZE; i++) {
    const y = (state[i]! & 0x80000000) | (state[(i + 1) % STATE_SIZE]! & 0x7fffffff)
    state[i] = state[(i + SHIFT) % STATE_SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
  }
}
