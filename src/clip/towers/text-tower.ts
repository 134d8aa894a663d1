import { aFunction, anObject, checkArguments, wholeFrom, withMembers } from '../../base/arguments.ts'
import { expectValues, withGradients } from '../../graph/graph.ts'
import {
  add,
  concat,
  dims,
  expand,
  type Graph,
  gather,
  intTensor,
  matmul,
  reshape,
  type Shape,
  slice,
  softmax,
  sum,
  sumOfCopies,
  type Value,
} from '../../graph/index.ts'
import type { TextConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { type Between, stepIn } from './between.ts'
import { type Bins, binsOf, upTo } from './bins.ts'
import type { Packing } from './packing.ts'
import { block, norm } from './transformer.ts'

const aTextConfig = withMembers('the config.text of a model', 'layers', 'width', 'heads')
const aPacking = withMembers('sequences as pack lays them out', 'families', 'prefix', 'trees', 'ends')

/**
 * CLIP's text tower over packed sequences (see packing.ts): the features of each sequence's last token.
 * Equal, up to rounding, to running every sequence alone and padded to 77 tokens: the tower is causal, so the prefix
 * does not see the tails, no tail sees another, and nothing behind the last token matters.
 *
 * @param x `(rows, width)`: token embedding plus position embedding of each packed row
 * @param ends int64 `(sequences)`: the packed row of each sequence's end token, for sequences that are padded behind it
 *   (in training, where their lengths change from step to step); by default the last row of each
 * @param between steps in before each block; the rows of a shared beginning are those of all its sequences
 * @returns `(sequences, embed)`, not normalised, in the order of the sequences (of `ends`)
 */
export function textTower(
  p: Parameters,
  config: TextConfig,
  embedDim: number,
  packing: Packing,
  x: Value,
  options: { ends?: Value; between?: Between } = {},
): Value {
  checkArguments(
    'textTower',
    { p, config, embedDim, packing, options },
    { p: aFunction, config: aTextConfig, embedDim: wholeFrom(1), packing: aPacking, options: anObject },
  )
  const { ends, between } = options
  expectValues('textTower', ends === undefined ? [x] : [x, ends])
  const { layers, width, heads, layerNormEpsilon } = config
  const everyRow = placesOf(x.graph, binsOf(packing, false), heads)
  const lastRows = x.graph.ints(packing.ends)
  let rows = x
  for (let i = 0; i < layers; i++) {
    if (between) rows = stepIn(between, rows, { tower: 'text', block: i })
    const last = i === layers - 1 && ends === undefined
    const places = last ? placesOf(x.graph, binsOf(packing, true), heads) : everyRow
    const attend = (qkv: Value) => attention(qkv, places, heads)
    const keep = last ? (all: Value) => gather(all, lastRows) : undefined
    rows = block(under(p, `transformer.resblocks.${i}.`), config, rows, attend, keep)
  }
  if (ends !== undefined) rows = gather(rows, ends)
  return matmul(norm(p, 'ln_final', rows, layerNormEpsilon), p('text_projection', [width, embedDim]))
}

/** Bins, and the places in tensors that they mean: the same in all layers. */
interface Places extends Bins {
  /** The rows of qkv, as `(rows 3 heads, d)`, that are queries `(heads, count, queries)`, keys and values of bins. */
  readonly from: readonly Value[]
  /**
   * The rows of qkv to which the gradients of queries, keys and values go, one after the other, then what the keys and
   * the values of the prefixes get from all bins; -1: no row. Frozen, so that it is sorted once.
   */
  readonly to: readonly number[]
  /** Of the answers `(heads bins queries, d)`, those that are wanted, `(wanted, heads)`. */
  readonly answers: Value
}

function placesOf(graph: Graph, bins: Bins, heads: number): Places {
  const { families, prefix, count, queries, keys, queryRows, keyRows, places } = bins
  const each = upTo(heads)
  const rowsOf = (part: number, rows: readonly number[]) =>
    each.flatMap((h) => rows.map((row) => (row < 0 ? -1 : (row * 3 + part) * heads + h)))
  const list = (shape: Shape, rows: readonly number[]) => graph.constant(intTensor(shape, rows))
  const taken = (part: number, rows: readonly number[], size: number) =>
    list(
      [heads, count, size],
      rowsOf(
        part,
        rows.map((row) => Math.max(0, row)),
      ),
    )
  const own = keyRows.map((row, place) => (place % keys < prefix ? -1 : row))
  const first = upTo(families * prefix)
  const gradients = [rowsOf(0, queryRows), rowsOf(1, own), rowsOf(2, own), rowsOf(1, first), rowsOf(2, first)]
  return {
    ...bins,
    from: [taken(0, queryRows, queries), taken(1, keyRows, keys), taken(2, keyRows, keys)],
    to: Object.freeze(gradients.flat()),
    answers: list(
      [places.length, heads],
      places.flatMap((place) => each.map((h) => h * count * queries + place)),
    ),
  }
}

/**
 * Causal attention of packed rows in bins: softmax(q k^T / sqrt(d) + mask) v, each bin and head for itself.
 *
 * @param qkv `(rows, 3 width)`
 * @returns the answers of the queries that are wanted, `(wanted, width)`
 */
function attention(qkv: Value, places: Places, heads: number): Value {
  const [, triple] = dims(qkv, 2)
  const d = triple / 3 / heads
  const { count, queries, mask, answers } = places
  const [q, k, v] = inBins(qkv, places, heads)
  const scores = matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(d) })
  const all = matmul(softmax(add(scores, qkv.graph.constant(mask))), v)
  return reshape(gather(reshape(all, [heads * count * queries, d]), answers), [-1, heads * d])
}

/** Queries `(heads, bins, queries, d)`, keys and values of packed rows qkv `(rows, 3 width)`. */
function inBins(qkv: Value, { families, prefix, from, to }: Places, heads: number): [Value, Value, Value] {
  const [rows, triple] = dims(qkv, 2)
  const d = triple / 3 / heads
  const all = reshape(qkv, [rows * 3 * heads, d])
  const [q, k, v] = withGradients(
    from.map((of) => gather(all, of)),
    [qkv],
    (given) => {
      const dys = given.map((dy, i) => dy ?? expand(qkv.graph.scalar(0), [...(from[i]?.shape ?? []), d]))
      const shared = prefix === 0 ? [] : dys.slice(1).map((dy) => sum(slice(byFamily(dy, families), 3, 0, prefix), [2]))
      const copies = [...dys, ...shared].map((dy) => reshape(dy, [-1, d]))
      return [reshape(sumOfCopies(rows * 3 * heads, to, concat(copies, 0)), qkv.shape)]
    },
  )
  if (q === undefined || k === undefined || v === undefined) throw new Error('queries, keys and values are three')
  return [q, k, v]
}

/** `(heads, bins, keys, d)` -> `(heads, families, bins of each, keys, d)` */
function byFamily(x: Value, families: number): Value {
  const [heads, count, keys, d] = dims(x, 4)
  return reshape(x, [heads, families, count / families, keys, d])
}
