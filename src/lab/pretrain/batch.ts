import { type Random, randomFor } from '../../base/random.ts'
import { floatTensor, intTensor, type Tensor } from '../../graph/index.ts'
import type { ArtData } from './art/source.ts'
import type { PretrainSettings } from './settings.ts'

/** Tokens that a caption needs beside the random vectors. */
const LEAST_CAPTION = 7
const MOST_SOFT = 16

/** The feeds of one pretraining step besides the parameters (see step.ts); a function of (settings, step). */
export function batchFeeds(art: ArtData, settings: PretrainSettings, step: number): Record<string, Tensor> {
  const { seed, batch, buckets, textWidth, softShare } = settings
  const random = randomFor('soft words', seed, step)
  const soft = random.next() < softShare ? buckets.map((length) => softWords(length, random)) : buckets.map(() => 0)
  const { pixels, captions, concepts } = art.batch(
    seed,
    step,
    batch,
    buckets.map((length, i) => length - (soft[i] ?? 0)),
  )
  const side = Math.sqrt(pixels.length / (3 * batch))
  return {
    pixels: floatTensor([batch, 3, side, side], pixels),
    ...captionFeeds(captions, buckets, soft, textWidth, random),
    targets: floatTensor([batch, batch], sameConcept(concepts)),
  }
}

function softWords(length: number, random: Random): number {
  return 1 + random.int(Math.min(MOST_SOFT, length - LEAST_CAPTION))
}

function captionFeeds(
  captions: readonly (readonly number[])[],
  buckets: readonly number[],
  soft: readonly number[],
  width: number,
  random: Random,
): Record<string, Tensor> {
  const perBucket = captions.length / buckets.length
  const rows = buckets.reduce((total, length) => total + length * perBucket, 0)
  const tokens = new BigInt64Array(rows)
  const hard = new Float32Array(rows).fill(1)
  const vectors = new Float32Array(rows * width)
  const ends: number[] = []
  const deviation = 0.015 + 0.04 * random.next()
  let row = 0
  for (const [i, caption] of captions.entries()) {
    const bucket = Math.floor(i / perBucket)
    const words = soft[bucket] ?? 0
    for (const [at, token] of caption.entries()) tokens[row + (at === 0 ? 0 : at + words)] = BigInt(token)
    hard.fill(0, row + 1, row + 1 + words)
    for (let j = (row + 1) * width; j < (row + 1 + words) * width; j++) vectors[j] = deviation * random.normal()
    ends.push(row + caption.length - 1 + words)
    row += buckets[bucket] ?? 0
  }
  return {
    tokens: intTensor([rows], tokens),
    hard: floatTensor([rows, 1], hard),
    soft: floatTensor([rows, width], vectors),
    ends: intTensor([captions.length], ends),
  }
}

/** Row i: equal weights, adding up to 1, on all pictures that show the concept of picture i. */
function sameConcept(concepts: Int32Array): Float32Array {
  const n = concepts.length
  const targets = new Float32Array(n * n)
  for (let i = 0; i < n; i++) {
    const same = concepts.reduce((count, c) => count + (c === concepts[i] ? 1 : 0), 0)
    for (let j = 0; j < n; j++) targets[i * n + j] = concepts[i] === concepts[j] ? 1 / same : 0
  }
  return targets
}
