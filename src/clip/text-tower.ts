import { add, concat, gather, matmul, reshape, slice, softmax, type Value } from '../graph/index.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { Packing } from './packing.ts'
import { type Parameters, under } from './parameters.ts'
import { block, headsOf, norm, rowsOf } from './transformer.ts'
import type { TextConfig } from './types.ts'

/**
 * CLIP's text tower over packed sequences (see packing.ts): the features of each sequence's last token.
 * Equal, up to rounding, to running every sequence alone and padded to 77 tokens: the tower is causal, so the prefix
 * does not see the tails, no tail sees another, and nothing behind the last token matters.
 *
 * @param x `(rows, width)`: token embedding plus position embedding of each packed row
 * @param ends int64 `(sequences)`: the packed row of each sequence's end token, for sequences that are padded behind it
 *   (in training, where their lengths change from step to step); by default the last row of each
 * @returns `(sequences, embed)`, not normalised, in the order of the sequences (of `ends`)
 */
export function textTower(
  p: Parameters,
  config: TextConfig,
  embedDim: number,
  packing: Packing,
  x: Value,
  ends?: Value,
): Value {
  const { layers, width, layerNormEpsilon } = config
  let rows = x
  for (let i = 0; i < layers; i++) {
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
 * Causal attention of packed rows: the prefix to itself; each tail to the prefix and to itself.
 *
 * @param qkv `(rows, 3 width)`
 * @param endsOnly only the last row of each sequence asks (after the last attention no other is needed)
 * @returns `(rows, width)`, or `(sequences, width)` with `endsOnly`
 */
function packedAttention(qkv: Value, packing: Packing, heads: number, endsOnly: boolean): Value {
  const { prefix, groups } = packing
  const shared = prefix > 0 ? slice(qkv, 0, 0, prefix) : undefined
  const out: Value[] = []
  if (shared !== undefined && !endsOnly) out.push(attendPrefix(shared, heads))
  let start = prefix
  for (const { length, members } of groups) {
    const n = members.length
    const own = slice(qkv, 0, start, start + n * length)
    start += n * length
    out.push(attendTails(own, shared, heads, n, length, endsOnly))
  }
  return concat(out, 0)
}

function attendPrefix(shared: Value, heads: number): Value {
  const [q, k, v] = [headsOf(shared, 0, heads, 1), headsOf(shared, 1, heads, 1), headsOf(shared, 2, heads, 1)]
  const length = q.shape[2] ?? 0
  const scores = matmul(q, k, { transB: true, alpha: headScale(q) })
  return rowsOf(matmul(softmax(add(scores, causalMask(q, length, length, 0))), v))
}

/** Tails of one length; scores are `(heads, n, queries, prefix + length)`. */
function attendTails(
  own: Value,
  shared: Value | undefined,
  heads: number,
  n: number,
  length: number,
  endsOnly: boolean,
): Value {
  const all = headsOf(own, 0, heads, n)
  const q = endsOnly ? slice(all, 2, length - 1, length) : all
  const [k, v] = [headsOf(own, 1, heads, n), headsOf(own, 2, heads, n)]
  const queries = q.shape[2] ?? 0
  const d = q.shape[3] ?? 0
  const alpha = headScale(q)
  const toSelf = matmul(q, k, { transB: true, alpha })
  if (shared === undefined) {
    const scores = endsOnly ? toSelf : add(toSelf, causalMask(q, length, length, 0))
    return rowsOf(matmul(softmax(scores), v))
  }
  const [prefixK, prefixV] = [headsOf(shared, 1, heads, 1), headsOf(shared, 2, heads, 1)]
  const prefix = prefixK.shape[2] ?? 0
  // All tails' queries as one matrix a head: (heads, n queries, d) against the prefix (heads, d, prefix).
  const flatQ = reshape(q, [heads, n * queries, d])
  const toPrefix = matmul(flatQ, reshape(prefixK, [heads, prefix, d]), { transB: true, alpha })
  const scores = concat([reshape(toPrefix, [heads, n, queries, prefix]), toSelf], 3)
  const weights = softmax(endsOnly ? scores : add(scores, causalMask(q, length, prefix + length, prefix)))
  const prefixWeights = reshape(slice(weights, 3, 0, prefix), [heads, n * queries, prefix])
  const fromPrefix = reshape(matmul(prefixWeights, reshape(prefixV, [heads, prefix, d])), [heads, n, queries, d])
  return rowsOf(add(fromPrefix, matmul(slice(weights, 3, prefix, prefix + length), v)))
}

const headScale = (q: Value) => 1 / Math.sqrt(q.shape[3] ?? 1)

/** `(queries, keys)`: 0 where query i may look at key j (j <= i + before), else a number whose exponential is 0. */
function causalMask(x: Value, queries: number, keys: number, before: number): Value {
  const mask = new Float32Array(queries * keys)
  for (let i = 0; i < queries; i++) mask.fill(-1e9, i * keys + Math.min(keys, i + before + 1), (i + 1) * keys)
  return x.graph.constant(floatTensor([queries, keys], mask))
}

/** The last row of each sequence, in packed order: `(rows, width)` -> `(sequences, width)`. */
function endRows(x: Value, packing: Packing): Value {
  let start = packing.prefix
  const ends = packing.groups.map(({ length, members }) => {
    const group = slice(x, 0, start, start + members.length * length)
    start += members.length * length
    const width = x.shape[1] ?? 0
    const last = slice(reshape(group, [members.length, length, width]), 1, length - 1, length)
    return reshape(last, [members.length, width])
  })
  return concat(ends, 0)
}
