import type { Clip } from '../clip/types.ts'
import { weightOf } from '../clip/weights/parameters.ts'
import { floatToHalf } from '../formats/half.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'

/**
 * The tokens whose embeddings are the rows of `(n, length, width)`; undefined where a row is no embedding of this model.
 * Values are compared as float16, which is what the official code keeps of them.
 */
export function tokensOfEmbeddings(clip: Clip, x: FloatTensor): (number | undefined)[][] {
  const [n, length, width] = dims(x, 3, 'embeddings')
  const { data: table } = weightOf(clip.weights, 'token_embedding.weight')
  const embeddings = floatToHalf(table)
  const tokens = new Map<string, number[]>()
  for (let token = 0; token < embeddings.length / width; token++) {
    const key = keyOf(embeddings, token * width, width)
    const same = tokens.get(key)
    if (same === undefined) tokens.set(key, [token])
    else same.push(token)
  }
  const rows = floatToHalf(x.data)
  const find = (start: number) =>
    tokens.get(keyOf(rows, start, width))?.find((token) => sameRow(rows, start, embeddings, token * width, width))
  return Array.from({ length: n }, (_, i) => Array.from({ length }, (_, j) => find((i * length + j) * width)))
}

/** Values that two embeddings hardly share. */
const KEY_VALUES = 8

function keyOf(values: Uint16Array, start: number, width: number): string {
  return values.subarray(start, start + Math.min(width, KEY_VALUES)).join()
}

function sameRow(a: Uint16Array, aStart: number, b: Uint16Array, bStart: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (a[aStart + i] !== b[bStart + i]) return false
  return true
}
