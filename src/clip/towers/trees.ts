import { largest } from '../../base/extremes.ts'

/** Some tails that share rows: their numbers, and the rows that they have together. */
interface Bunch {
  readonly members: readonly number[]
  readonly rows: number
}

/** A tail in sorted order; `alike`: how many rows it begins with that the tail before it has too. */
interface Sorted {
  readonly tail: number
  readonly length: number
  readonly alike: number
}

/** Rows that a tree has at most, unless a single tail has more: those that are tried, beside the longest tail's. */
const LIMITS = [8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128]

/**
 * What a row costs in the layers' products, and a key and a bin in attention, where one score of a bin costs 1. Measured at
 * the width of CLIP's text tower.
 */
const ROW = 768
const KEY = 50
const BIN = 300

/**
 * Which tails stand in a tree together, so that what they begin with is computed once: the cheapest of several ways. In
 * a tree every row meets every other and the prefix, so that large trees cost more than they save.
 */
export function treesOf(tails: readonly (readonly number[])[], prefix: number): readonly (readonly number[])[] {
  const sorted = inOrder(tails)
  const longest = largest(tails.map(({ length }) => length))
  const limits = [longest, ...LIMITS.filter((limit) => limit > longest)]
  const ways = limits.map((limit) => filled(runs(sorted, limit), limit))
  const best = ways.reduce((a, b) => (cost(b, prefix) < cost(a, prefix) ? b : a))
  return best.map(({ members }) => members)
}

/** All bins are of the size of the largest tree; the prefix is queries in some, and keys in all (see bins.ts). */
function cost(trees: readonly Bunch[], prefix: number): number {
  const size = largest(trees.map(({ rows }) => rows))
  const rows = trees.reduce((sum, { rows }) => sum + rows, 0)
  const bins = Math.max(trees.length, Math.ceil((rows + prefix) / size))
  return rows * ROW + bins * (size * (prefix + size) + (prefix + size) * KEY + BIN)
}

/** Sorted, tails that begin alike follow each other. */
function inOrder(tails: readonly (readonly number[])[]): readonly Sorted[] {
  const order = [...tails.entries()].sort(([, a], [, b]) => compare(a, b))
  return order.map(([tail, keys], at) => {
    const [, before = []] = order[at - 1] ?? []
    return { tail, length: keys.length, alike: common(keys, before) }
  })
}

function compare(a: readonly number[], b: readonly number[]): number {
  const n = common(a, b)
  const [x, y] = [a[n], b[n]]
  if (x === undefined || y === undefined) return a.length - b.length
  return x - y
}

/** How many entries both begin with. */
export function common<T>(a: readonly T[], b: readonly T[]): number {
  const limit = Math.min(a.length, b.length)
  let n = 0
  while (n < limit && a[n] === b[n]) n++
  return n
}

/**
 * The tails in runs of at most `limit` rows (or of one tail), cut where the fewest rows have to be there twice: a run
 * begins with the whole of its first tail. f(n), the fewest rows of the first n tails, is the least f(m) + rows(m ... n).
 */
function runs(sorted: readonly Sorted[], limit: number): readonly Bunch[] {
  const fewest = [0]
  const last: { from: number; rows: number }[] = []
  for (const [at, { length }] of sorted.entries()) {
    let best = { from: at, rows: length }
    const total = ({ from, rows }: typeof best) => (fewest[from] ?? 0) + rows
    let rows = length
    for (let from = at - 1; from >= 0; from--) {
      rows += (sorted[from]?.length ?? 0) - (sorted[from + 1]?.alike ?? 0)
      if (rows > limit) break
      if (total({ from, rows }) < total(best)) best = { from, rows }
    }
    last.push(best)
    fewest.push(total(best))
  }
  const found: Bunch[] = []
  for (let end = sorted.length; end > 0; ) {
    const { from, rows } = last[end - 1] ?? { from: 0, rows: 0 }
    found.push({ members: sorted.slice(from, end).map(({ tail }) => tail), rows })
    end = from
  }
  return found
}

/** Runs put together in trees of at most `limit` rows, each as full as it gets: so most of them are of one size. */
function filled(found: readonly Bunch[], limit: number): readonly Bunch[] {
  const bySize = new Map<number, Bunch[]>()
  for (const bunch of [...found].sort((a, b) => b.rows - a.rows)) {
    const alike = bySize.get(bunch.rows)
    if (alike === undefined) bySize.set(bunch.rows, [bunch])
    else alike.push(bunch)
  }
  const trees: Bunch[] = []
  for (const [size, bunches] of bySize) {
    for (let first = bunches.pop(); first !== undefined; first = bunches.pop()) {
      const others = fullest(bySize, limit - size).flatMap((rows) => bySize.get(rows)?.pop() ?? [])
      const members = [first, ...others].flatMap(({ members }) => members)
      trees.push({ members, rows: others.reduce((sum, { rows }) => sum + rows, size) })
    }
  }
  return trees
}

/** The sizes of those bunches that have the most rows together, at most `room`. */
function fullest(bySize: ReadonlyMap<number, readonly Bunch[]>, room: number): readonly number[] {
  /** By a number of rows that some have together: the size of the last of them. */
  const last = new Map<number, number>()
  for (const [size, { length }] of bySize) {
    for (let n = 1; n <= Math.min(length, room / size) && !last.has(room); n++) {
      for (const rows of [0, ...last.keys()]) {
        if (rows + size <= room && !last.has(rows + size)) last.set(rows + size, size)
      }
    }
  }
  const sizes: number[] = []
  let rows = largest(last.keys())
  for (let size = last.get(rows); size !== undefined; size = last.get(rows)) {
    sizes.push(size)
    rows -= size
  }
  return sizes
}
