import { aTokenizer, aWord, checkArguments } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import { randomFor } from '../base/random.ts'
import { tokenRows } from '../clip/encode.ts'
import { encodePlain } from '../clip/tokenizer/tokenizer.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor, type Shape, sizeOf } from '../graph/tensor.ts'

/** Standard deviation of random context vectors. */
const DEVIATION = 0.02

/** Context vectors from N(0, 0.02^2); the same seed gives the same. */
export function randomContext(shape: Shape, seed: number): FloatTensor {
  const random = randomFor('context', seed)
  return floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => DEVIATION * random.normal()),
  )
}

/** The tokens of words to start from, such as "a photo of a"; their number is M. Throws UsageError when there are none. */
export function startTokens(clip: Pick<Clip, 'tokenizer'>, words: string): number[] {
  const tokenizer = clip?.tokenizer
  checkArguments('startTokens', { tokenizer, words }, { tokenizer: aTokenizer, words: aWord })
  const tokens = encodePlain(tokenizer, words.replaceAll('_', ' '))
  if (tokens.length === 0)
    throw new UsageError(
      `there are no words to start from in ${JSON.stringify(words)}`,
      'write words such as "a photo of a"',
    )
  return tokens
}

/**
 * Context vectors that are the embeddings of words: `(M, width)`, or the same for each class, `(classes, M, width)`. Where M
 * is more than the tokens of the words, zeros come before them.
 */
export function wordContext(clip: Clip, words: string, M: number, classes?: number): FloatTensor {
  const { data } = tokenRows(clip, startTokens(clip, words))
  const size = M * clip.config.text.width
  const shape = [M, clip.config.text.width]
  const all = floatTensor(classes === undefined ? shape : [classes, ...shape])
  for (let end = size; end <= all.data.length; end += size) all.data.set(data, end - data.length)
  return all
}
