import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileError, UsageError } from '../../../base/errors.ts'
import { type Random, randomFor } from '../../../base/random.ts'
import { parseVocabulary } from '../../../clip/tokenizer/files.ts'
import { createTokenizer, type Tokenizer, type TokenizerTables } from '../../../clip/tokenizer/tokenizer.ts'
import { captionFor } from './captions.ts'
import { planeSize } from './effects.ts'
import { createPainter } from './paint.ts'
import { mergesFile, vocabFile } from './prepare.ts'
import { readSprites } from './render.ts'
import { createSampler, type Drawn } from './sampling.ts'
import { randomView } from './view.ts'

export { mergesFile, prepareArt, vocabFile } from './prepare.ts'

/** Pictures and captions of one training step. */
export interface ArtBatch {
  /** `(size, 3, 64, 64)`, normalised with CLIP's mean and deviation. */
  readonly pixels: Float32Array
  /**
   * Token ids from start to end token, not padded. The rows come bucket by bucket: the first
   * `size / buckets.length` rows have at most `buckets[0]` tokens, and so on.
   */
  readonly captions: number[][]
  /** `(size)`: rows with equal numbers show the same thing, so their captions are no negatives of each other. */
  readonly concepts: Int32Array
}

export interface ArtData {
  readonly pictures: number
  readonly conceptCount: number
  readonly tokenizer: Tokenizer
  readonly tables: TokenizerTables
  /** The same (seed, step, size, buckets) always gives the same batch. Throws UsageError for unequal buckets. */
  batch(seed: number, step: number, size: number, buckets: readonly number[]): ArtBatch
}

/** Opens a folder made by `prepareArt`. Throws FileError when it is not whole. */
export async function openArt(folder: string): Promise<ArtData> {
  const sprites = await readSprites(folder)
  const tables = await readTables(folder)
  const tokenizer = createTokenizer({ ...tables, contextLength: 77, name: join(folder, vocabFile) })
  const tokenCount = createTokenCounter(tokenizer)
  const sampler = createSampler(sprites)
  const paint = createPainter()

  function batch(seed: number, step: number, size: number, buckets: readonly number[]): ArtBatch {
    if (buckets.length === 0 || size % buckets.length !== 0)
      throw new UsageError(`a batch of ${size} cannot be shared by ${buckets.length} caption lengths`)
    const random = randomFor('art', seed, step)
    const drawn = sampler.draw(random, size)
    const pixels = new Float32Array(size * 3 * planeSize)
    const rows = size / buckets.length
    const captions = drawn.map(({ sprite, contrast }: Drawn, row) => {
      const view = randomView(sprite.facts, random)
      paint(sprite, view, pixels, row * 3 * planeSize)
      const bucket = Math.floor(row / rows)
      const room = captionRoom(buckets, bucket, random)
      const text = captionFor(sprite.facts, view.named, random, tokenCount, room, contrast)
      return [tokenizer.startToken, ...tokenizer.encode(text).slice(0, room.most), tokenizer.endToken]
    })
    return { pixels, captions, concepts: Int32Array.from(drawn, ({ concept }) => concept) }
  }
  return { pictures: sprites.length, conceptCount: sampler.conceptCount, tokenizer, tables, batch }
}

/** Between the shorter bucket's length and this one's, without start and end token. */
function captionRoom(buckets: readonly number[], bucket: number, random: Random): { least: number; most: number } {
  const most = buckets[bucket]! - 2
  const shorter = bucket === 0 ? 3 : buckets[bucket - 1]! - 2
  return { most, least: Math.min(most, shorter) + random.int(Math.max(1, most - shorter)) }
}

/** Phrases repeat: their token counts are kept, up to a bound. */
export function createTokenCounter(tokenizer: Tokenizer): (text: string) => number {
  const counts = new Map<string, number>()
  return (text) => {
    const before = counts.get(text)
    if (before !== undefined) return before
    const count = tokenizer.encode(text).length
    if (counts.size > 200_000) counts.clear()
    counts.set(text, count)
    return count
  }
}

async function readTables(folder: string): Promise<TokenizerTables> {
  const read = async (name: string) => {
    try {
      return await readFile(join(folder, name), 'utf8')
    } catch (cause) {
      throw new FileError(`${join(folder, name)} is missing`, 'prepare the training pictures again', { cause })
    }
  }
  const [vocab, merges] = [await read(vocabFile), await read(mergesFile)]
  return parseVocabulary({
    vocab,
    merges,
    vocabName: join(folder, vocabFile),
    mergesName: join(folder, mergesFile),
  })
}
