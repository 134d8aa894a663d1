import { aFunction, anObject, checkArguments, wholeFrom, withMembers } from '../../base/arguments.ts'
import { expectValues } from '../../graph/graph.ts'
import { add, concat, dims, gather, matmul, reshape, slice, softmax, split, type Value } from '../../graph/index.ts'
import { floatTensor } from '../../graph/tensor.ts'
import type { TextConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { type Between, stepIn } from './between.ts'
import type { Packing } from './packing.ts'
import { block, headsOf, norm, rowsOf } from './transformer.ts'

const aTextConfig = withMembers('the config.text of a model', 'layers', 'width', 'heads')
const aPacking = withMembers('sequences as pack lays them out', 'families', 'prefix', 'groups', 'place')

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
  const { layers, width, layerNormEpsilon } = config
  let rows = x
  for (let i = 0; i < layers; i++) {
    if (between) rows = stepIn(between, rows, { tower: 'text', block: i })
    const last = i === layers - 1 && ends === undefined
    const attend = (qkv: Value) => packedAttention(qkv, packing, config.heads, last)
    const keep = last ? (all: Value) => endRows(all, packing) : undefined
    rows = block(under(p, `transformer.resblocks.${i}.`), config, rows, attend, keep)
  }
  if (ends !== undefined) rows = gather(rows, ends)
  const features = matmul(norm(p, 'ln_final', rows, layerNormEpsilon), p('text_projection', [width, embedDim]))
  return ends === undefined ? gather(features, x.graph.ints(packing.place)) : features
}

/**
 * Causal attention of packed rows: each prefix to itself; each tail to the prefix of its family and to itself.
 *
 * @param qkv `(rows, 3 width)`
 * @param endsOnly only the last row of each sequence asks (after the last attention no other is needed)
 * @returns `(rows, width)`, or `(sequences, width)` with `endsOnly`
 */
function packedAttention(qkv: Value, packing: Packing, heads: number, endsOnly: boolean): Value {
  const { shared, tails } = splitRows(qkv, packing)
  const prefix = shared && headsOf(shared, heads, packing.families)
  const out = tails.map(({ rows, n }) => rowsOf(attendTails(headsOf(rows, heads, n), prefix, endsOnly)))
  if (prefix !== undefined && !endsOnly) out.unshift(rowsOf(attendPrefix(prefix)))
  return concat(out, 0)
}

/** Packed rows by what they belong to: the prefixes, if there are any, and n tails of each length. */
function splitRows(x: Value, { families, prefix, groups }: Packing) {
  const lengths = groups.map(({ length, members }) => members.length * length)
  const prefixes = families * prefix
  const [shared, ...parts] = prefix > 0 ? split(x, 0, [prefixes, ...lengths]) : [undefined, ...split(x, 0, lengths)]
  return { shared, tails: parts.map((rows, i) => ({ rows, n: groups[i]?.members.length ?? 0 })) }
}

/** Queries, keys and values `(heads, n, length, d)` of n sequences of one length. */
type Heads = ReturnType<typeof headsOf>

function attendPrefix({ q, k, v }: Heads): Value {
  const [, , length] = dims(q, 4)
  const scores = matmul(q, k, { transB: true, alpha: headScale(q) })
  return matmul(softmax(add(scores, causalMask(q, length, length, 0))), v)
}

/** Tails of one length, family by family; scores are `(heads, n, queries, prefix + length)`. */
function attendTails(own: Heads, shared: Heads | undefined, endsOnly: boolean): Value {
  const { k, v } = own
  const [heads, n, length, d] = dims(k, 4)
  const q = endsOnly ? slice(own.q, 2, length - 1, length) : own.q
  const queries = endsOnly ? 1 : length
  const alpha = headScale(q)
  const toSelf = matmul(q, k, { transB: true, alpha })
  if (shared === undefined) {
    const scores = endsOnly ? toSelf : add(toSelf, causalMask(q, length, length, 0))
    return matmul(softmax(scores), v)
  }
  const [, families, prefix] = dims(shared.k, 4)
  const rows = (n / families) * queries
  // All queries of a family as one matrix a head: (heads, families, rows, d) against the prefixes (heads, families, d, prefix).
  const toPrefix = matmul(reshape(q, [heads, families, rows, d]), shared.k, { transB: true, alpha })
  const scores = concat([reshape(toPrefix, [heads, n, queries, prefix]), toSelf], 3)
  const weights = softmax(endsOnly ? scores : add(scores, causalMask(q, length, prefix + length, prefix)))
  const [onPrefix = weights, onSelf = weights] = split(weights, 3, [prefix, length])
  const fromPrefix = matmul(reshape(onPrefix, [heads, families, rows, prefix]), shared.v)
  return add(reshape(fromPrefix, [heads, n, queries, d]), matmul(onSelf, v))
}

function headScale(q: Value): number {
  const [, , , d] = dims(q, 4)
  return 1 / Math.sqrt(d)
}

/** `(queries, keys)`: 0 where query i may look at key j (j <= i + before), else a number whose exponential is 0. */
function causalMask(x: Value, queries: number, keys: number, before: number): Value {
  const mask = new Float32Array(queries * keys)
  for (let i = 0; i < queries; i++) mask.fill(-1e9, i * keys + Math.min(keys, i + before + 1), (i + 1) * keys)
  return x.graph.constant(floatTensor([queries, keys], mask))
}

/** The last row of each sequence, in packed order: `(rows, width)` -> `(sequences, width)`. */
function endRows(x: Value, packing: Packing): Value {
  const [, width] = dims(x, 2)
  const ends = splitRows(x, packing).tails.map(({ rows, n }) => {
    const sequences = reshape(rows, [n, -1, width])
    const [, length] = dims(sequences, 3)
    return reshape(slice(sequences, 1, length - 1, length), [n, width])
  })
  return concat(ends, 0)
}
