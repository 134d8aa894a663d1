import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { Packing } from './packing.ts'

/**
 * How packed rows meet in attention: in bins of one size, a tree each, and the prefixes where there are places. The
 * queries of a bin meet the keys of its family's prefix and of its own tree; a mask hides those that a query does not follow.
 * All bins are alike, so that attention is a handful of operators whatever lengths the texts have; empty places are
 * there in its own products alone.
 */
export interface Bins {
  /** Bins of a family stand together, as many of each. */
  readonly families: number
  readonly prefix: number
  readonly count: number
  /** Places of a bin for queries, and for keys: those of the prefix, then its own. */
  readonly queries: number
  readonly keys: number
  /** The packed row at place i of bin b: entry `b * places + i`; -1: empty. */
  readonly queryRows: readonly number[]
  readonly keyRows: readonly number[]
  /** `(count, queries, keys)`: 0, or a number whose exponential is 0. */
  readonly mask: FloatTensor
  /** Where the queries whose answers are wanted stand among `queryRows`. */
  readonly places: readonly number[]
}

/** Queries of a bin: their packed rows, and those rows of the bin (prefix and tree) that each sees. */
interface Bin {
  readonly own: readonly number[]
  readonly family: number
  readonly queries: readonly { readonly row: number; readonly sees: readonly number[] }[]
}

const HIDDEN = -1e9

/** @param endsOnly only the last row of each sequence asks, and answers come in the order of the sequences */
export function binsOf(packing: Packing, endsOnly: boolean): Bins {
  const { families, prefix, ends, slots } = packing
  const size = packing.trees.reduce((most, { length }) => Math.max(most, length), 0)
  const keys = prefix + size
  const isEnd = new Set(ends)
  const bins = endsOnly
    ? treeBins(packing).map((bin) => ({ ...bin, queries: bin.queries.filter(({ row }) => isEnd.has(row)) }))
    : wholeBins(packing, size)
  const queries = bins.reduce((most, bin) => Math.max(most, bin.queries.length), 0)
  const inBins = (places: number, rowsOf: (bin: Bin) => readonly number[]) =>
    bins.flatMap((bin) => {
      const rows = rowsOf(bin)
      return upTo(places).map((i) => rows[i] ?? -1)
    })
  const queryRows = inBins(queries, (bin) => bin.queries.map(({ row }) => row))
  const at = new Map(queryRows.map((row, place) => [row, place]))
  return {
    families,
    prefix,
    count: bins.length,
    queries,
    keys,
    queryRows,
    keyRows: inBins(keys, ({ family, own }) => [...upTo(prefix).map((i) => family * prefix + i), ...own]),
    mask: maskOf(bins, queries, keys),
    places: (endsOnly ? ends : slots.map((_, row) => row)).map((row) => at.get(row) ?? 0),
  }
}

/** Bins of all rows: the trees of each family, its prefix where they leave places for queries, the rest in pieces. */
function wholeBins(packing: Packing, size: number): Bin[] {
  const { families, prefix } = packing
  const trees = treeBins(packing)
  return upTo(families).flatMap((family) => {
    let next = 0
    const some = (most: number) =>
      upTo(Math.min(most, prefix - next)).map(() => ({ row: family * prefix + next, sees: upTo(++next) }))
    const bins = trees
      .filter((bin) => bin.family === family)
      .map((bin) => ({ ...bin, queries: [...bin.queries, ...some(size - bin.queries.length)] }))
    while (next < prefix) bins.push({ own: [], family, queries: some(size) })
    return bins
  })
}

function treeBins({ families, prefix, trees }: Packing): Bin[] {
  let next = families * prefix
  return upTo(families).flatMap((family) =>
    trees.map((follows) => {
      const first = next
      next += follows.length
      const own = follows.map((_, i) => first + i)
      return {
        own,
        family,
        queries: own.map((row, i) => ({ row, sees: [...upTo(prefix), ...path(follows, i, prefix)] })),
      }
    }),
  )
}

/** A row of a tree and those that it follows, as keys. */
function path(follows: readonly number[], row: number, prefix: number): number[] {
  const rows: number[] = []
  for (let i = row; i >= 0; i = follows[i] ?? -1) rows.push(prefix + i)
  return rows
}

export const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

function maskOf(bins: readonly Bin[], queries: number, keys: number): FloatTensor {
  const mask = new Float32Array(bins.length * queries * keys).fill(HIDDEN)
  for (const [b, bin] of bins.entries()) {
    for (const [i, { sees }] of bin.queries.entries()) for (const key of sees) mask[(b * queries + i) * keys + key] = 0
  }
  return floatTensor([bins.length, queries, keys], mask)
}
