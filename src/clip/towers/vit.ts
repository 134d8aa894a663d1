import {
  add,
  concat,
  dims,
  expand,
  matmul,
  reshape,
  slice,
  softmax,
  split,
  transpose,
  type Value,
} from '../../graph/index.ts'
import type { VitConfig } from '../types.ts'
import { type Parameters, under } from '../weights/parameters.ts'
import { type Between, stepIn } from './between.ts'
import { block, norm } from './transformer.ts'

/**
 * CLIP's vision transformer up to its last projection (Radford et al. 2021, section 2.4; OpenAI's model.py,
 * VisionTransformer): the class token after ln_post.
 *
 * @param pixels `(n, 3, size, size)`, preprocessed
 * @returns `(n, width)`
 */
export function vit(p: Parameters, config: VitConfig, pixels: Value, between?: Between): Value {
  const { width, layers, patchSize, imageSize, heads, layerNormEpsilon } = config
  const [n] = dims(pixels, 4, 'pixels')
  const side = imageSize / patchSize
  const tokens = side * side + 1
  const sequences = (rows: Value) => reshape(rows, [n, -1, width])
  const classTokens = (rows: Value) => reshape(slice(sequences(rows), 1, 0, 1), [n, width])

  const patches = embedPatches(p, config, pixels, side) // (n, side side, width)
  const cls = expand(reshape(p('class_embedding', [width]), [1, 1, width]), [n, 1, width])
  const embedded = add(concat([cls, patches], 1), p('positional_embedding', [tokens, width])) // (n, tokens, width)
  let x = norm(p, 'ln_pre', reshape(embedded, [n * tokens, width]), layerNormEpsilon)

  for (let i = 0; i < layers; i++) {
    if (between) x = reshape(stepIn(between, sequences(x), { tower: 'image', block: i }, 1), [-1, width])
    // of the last block nothing but the class token is used
    const keep = i === layers - 1 ? classTokens : undefined
    const attend = (qkv: Value) => attention(qkv, heads, n, keep !== undefined)
    x = block(under(p, `transformer.resblocks.${i}.`), config, x, attend, keep)
  }
  return norm(p, 'ln_post', x, layerNormEpsilon)
}

/** A convolution whose stride is its size: each patch is a row, times a matrix. */
function embedPatches(p: Parameters, config: VitConfig, pixels: Value, side: number): Value {
  const { width, patchSize: s } = config
  const [n] = dims(pixels, 4)
  const cut = transpose(reshape(pixels, [n, 3, side, s, side, s]), [0, 2, 4, 1, 3, 5])
  const kernel = reshape(p('conv1.weight', [width, 3, s, s]), [width, 3 * s * s])
  const rows = matmul(reshape(cut, [n * side * side, 3 * s * s]), kernel, { transB: true })
  return reshape(rows, [n, side * side, width])
}

/** @param firstOnly the answers of the first token of each sequence, `(n, width)`, and of no other */
function attention(qkv: Value, heads: number, n: number, firstOnly: boolean): Value {
  const { q, k, v } = headsOf(qkv, heads, n)
  const [, , , d] = dims(q, 4)
  const scores = matmul(firstOnly ? slice(q, 2, 0, 1) : q, k, { transB: true, alpha: 1 / Math.sqrt(d) })
  return rowsOf(matmul(softmax(scores), v))
}

/** Queries, keys and values of n sequences of one length: `(n length, 3 width)` -> three `(heads, n, length, width / heads)`. */
function headsOf(qkv: Value, heads: number, n: number): { q: Value; k: Value; v: Value } {
  const [rows, triple] = dims(qkv, 2)
  const length = rows / n
  const d = triple / 3 / heads
  const turned = transpose(reshape(qkv, [n, length, 3, heads, d]), [2, 3, 0, 1, 4])
  const [q, k, v] = split(turned, 0, [1, 1, 1])
  const shape = [heads, n, length, d]
  return { q: reshape(q, shape), k: reshape(k, shape), v: reshape(v, shape) }
}

/** `(heads, n, length, width / heads)` -> rows `(n length, width)`. */
function rowsOf(heads: Value): Value {
  const [h, n, length, d] = dims(heads, 4)
  return reshape(transpose(heads, [1, 2, 0, 3]), [n * length, h * d])
}
