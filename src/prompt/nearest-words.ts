import { aClip, anObject, aRuntime, aTensor, checkArguments, wholeFrom } from '../base/arguments.ts'
import { breathe } from '../base/breathe.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters, weightOf } from '../clip/weights/parameters.ts'
import { type FloatTensor, floatTensor, Graph, matmul, program } from '../graph/index.ts'
import type { Runtime } from '../runtime/types.ts'

/** A token near to a context vector. */
export interface NearWord {
  readonly word: string
  /** For a token that is no whole word: `start`, what a longer word goes on from; `ending`, what longer words end in. */
  readonly piece?: 'start' | 'ending'
  /** Its id in the vocabulary. */
  readonly token: number
  /** Euclidean distance between context vector and token embedding. */
  readonly distance: number
}

/** Options of nearestWords. */
export interface NearestOptions {
  /** Words for each vector (default 1). */
  readonly count?: number
  /** Punctuation, digits and pieces of words too, not only tokens that are whole words of letters (default false). */
  readonly allTokens?: boolean
}

/** Context vectors compared in one run: bounds the (vectors, vocabulary) table. */
const CHUNK = 64

/**
 * The tokens whose embeddings are nearest to each context vector, nearest first (Table 4 of the paper). What the
 * vectors mean need not be these words: the nearest token may be far.
 *
 * @param ctx `(M, width)` or `(classes, M, width)`; the vectors are taken in this order
 */
export async function nearestWords(
  clip: Clip,
  runtime: Runtime,
  ctx: FloatTensor,
  options: NearestOptions = {},
): Promise<NearWord[][]> {
  checkArguments('nearestWords', { options }, { options: anObject })
  const { count = 1, allTokens = false } = options
  checkArguments(
    'nearestWords',
    { clip, runtime, ctx, count },
    { clip: aClip, runtime: aRuntime, ctx: aTensor, count: wholeFrom(1) },
  )
  const { vocabSize, width } = clip.config.text
  const table = weightOf(clip.weights, 'token_embedding.weight').data
  const squares = Float64Array.from({ length: vocabSize }, (_, token) => squareOf(table, token * width, width))
  const pieceOf = pieces(clip)
  const allowed = allTokens ? () => true : isWord(clip)

  const graph = new Graph()
  const words = constantParameters(graph, clip.weights)('token_embedding.weight', [vocabSize, width])
  const products = matmul(graph.input('vectors', [CHUNK, width]), words, { transB: true })
  const session = await runtime.load(program(graph, { products }))
  const near: NearWord[][] = []
  try {
    for (let start = 0; start < ctx.data.length; start += CHUNK * width) {
      const chunk = ctx.data.subarray(start, start + CHUNK * width)
      const vectors = floatTensor([CHUNK, width])
      vectors.data.set(chunk)
      const { products } = await session.run({ vectors })
      for (let v = 0; v < chunk.length / width; v++) {
        // |e - c|^2 = |e|^2 - 2 e c + |c|^2, the last the same for all tokens e
        const row = products.data.subarray(v * vocabSize, (v + 1) * vocabSize)
        const tokens = smallest(count, vocabSize, (token) => squares[token]! - 2 * row[token]!, allowed)
        near.push(tokens.map((token) => nearWord(chunk.subarray(v * width, (v + 1) * width), token)))
        await breathe()
      }
    }
  } finally {
    await session.dispose()
  }
  return near

  function nearWord(vector: Float32Array, token: number): NearWord {
    const distance = Math.sqrt(vector.reduce((sum, x, j) => sum + (x - table[token * width + j]!) ** 2, 0))
    return { word: clip.tokenizer.tokenText(token), piece: pieceOf(token), token, distance }
  }
}

/**
 * What piece of a word a token is. One without the end-of-word mark is a start; one with it can stand alone, but where a
 * longer token ends in it and what is left is no word (`people` and `ple`, unlike `football` and `ball`), it is an ending.
 */
function pieces({ tokenizer, config }: Clip): (token: number) => NearWord['piece'] {
  const isLetters = (text: string) => /^\p{L}+$/u.test(text)
  const endsWord = (token: number) => tokenizer.decode([token, token]).includes(' ')
  const ids = Array.from({ length: config.text.vocabSize }, (_, token) => token)
  const words = new Set(
    ids
      .filter(endsWord)
      .map((token) => tokenizer.tokenText(token))
      .filter(isLetters),
  )
  const pieceOf = (token: number) => {
    const text = tokenizer.tokenText(token)
    if (!isLetters(text)) return undefined
    if (!endsWord(token)) return 'start'
    for (const word of words) {
      if (!word.endsWith(text)) continue
      const left = word.slice(0, -text.length)
      if (left.length > 1 && !words.has(left)) return 'ending'
    }
    return undefined
  }
  const known = new Map<number, NearWord['piece']>()
  return (token) => {
    if (!known.has(token)) known.set(token, pieceOf(token))
    return known.get(token)
  }
}

function squareOf(table: Float32Array, start: number, width: number): number {
  return table.subarray(start, start + width).reduce((sum, x) => sum + x * x, 0)
}

/** The `count` allowed numbers below `n` with the smallest rank, in order of rank. `allowed` is called as rarely as possible. */
function smallest(count: number, n: number, rank: (i: number) => number, allowed: (i: number) => boolean): number[] {
  const best: number[] = []
  for (let i = 0; i < n; i++) {
    const last = best[count - 1]
    if (last !== undefined && rank(i) >= rank(last)) continue
    if (!allowed(i)) continue
    const at = best.findIndex((other) => rank(i) < rank(other))
    best.splice(at < 0 ? best.length : at, 0, i)
    best.length = Math.min(best.length, count)
  }
  return best
}

/** Whether a token is a whole word: letters alone that encode to this very token (a piece of a word encodes to another). */
function isWord({ tokenizer }: Clip): (token: number) => boolean {
  return (token) => {
    if (token === tokenizer.startToken || token === tokenizer.endToken) return false
    const text = tokenizer.tokenText(token)
    if (!/^\p{L}+$/u.test(text)) return false
    const ids = tokenizer.encode(text)
    return ids.length === 1 && ids[0] === token
  }
}
