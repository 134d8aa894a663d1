import { aClip, aList, aRuntime, checkArguments, texts as listOfTexts, wholeFrom, wholes } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import {
  dims,
  type FloatTensor,
  floatTensor,
  Graph,
  type Program,
  program,
  type Shape,
  sizeOf,
} from '../graph/index.ts'
import { int8Linear } from '../graph/int8.ts'
import { valuesOf } from '../graph/tensor.ts'
import type { Runtime, Session } from '../runtime/types.ts'
import { aPrecision, type Precision } from './precision.ts'
import { encodePlain } from './tokenizer/tokenizer.ts'
import { imageProjection, imageTrunk, trunkWidth } from './towers/image-tower.ts'
import { type Packing, pack } from './towers/packing.ts'
import { int8ResNet, roundedConvolutions } from './towers/resnet-int8.ts'
import { textTower } from './towers/text-tower.ts'
import type { Clip, ClipConfig, Towers, Weights } from './types.ts'
import { expectedTensors } from './weights/expected.ts'
import { constantParameters, weightOf } from './weights/parameters.ts'

/** Turns preprocessed images into features. */
export interface ImageEncoder {
  /** Images that the tower takes at a time; fewer cost as much. */
  readonly batchSize: number
  /** In what the tower computes in fact. */
  readonly precision: Precision
  /**
   * @param images each `(3, size, size)`, preprocessed
   * @returns `(images, embed)`, not normalised
   */
  encode(images: readonly Float32Array[]): Promise<Float32Array>
  /**
   * Features before the tower's last projection: a ViT's class token after its last layer norm, or what a ResNet's attention
   * pooling projects.
   *
   * @param images each `(3, size, size)`, preprocessed
   * @returns `(images, trunk)`
   */
  trunk(images: readonly Float32Array[]): Promise<Float32Array>
  /** The last projection: what `trunk` gave -> what `encode` gives, to the last digit. */
  project(trunk: Float32Array): Promise<Float32Array>
  dispose(): Promise<void>
}

/**
 * The image tower for batches of some images; a smaller last batch is filled up with zeros. It is loaded with the
 * first images, so that an unused encoder costs nothing.
 *
 * @param wanted its batchSize; one that was opened early has its own
 * @param precision of the tower up to its last projection, which is in float32
 */
export function imageEncoder(
  clip: Clip,
  runtime: Runtime,
  wanted: number,
  precision: Precision = 'float32',
): ImageEncoder {
  checkArguments(
    'imageEncoder',
    { clip, runtime, precision },
    { clip: aClip, runtime: aRuntime, precision: aPrecision },
  )
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new UsageError(`the batch size must be a whole number from 1 up, not ${wanted}`)
  }
  const { config } = clip
  const { size } = config.preprocess
  const width = trunkWidth(config)
  const used = runtime.device === 'cpu' ? precision : 'float32'
  const { tower, batchSize } = (used === 'float32' && takeTower(clip, runtime)) || {
    tower: batched(runtime, [wanted, 3, size, size], (shape) => TRUNKS[used](clip, shape)),
    batchSize: wanted,
  }
  const projection = batched(runtime, [batchSize, width], async (shape) => {
    const graph = new Graph()
    const p = constantParameters(graph, clip.weights)
    return program(graph, { y: imageProjection(p, config, graph.input('x', shape)) })
  })

  async function trunk(images: readonly Float32Array[]): Promise<Float32Array> {
    checkArguments('encode', { images }, { images: aList })
    const all = new Float32Array(images.length * width)
    for (let start = 0; start < images.length; start += batchSize) {
      const some = images.slice(start, start + batchSize)
      for (const image of some) floatTensor([3, size, size], image) // throws when the image has another size
      all.set(await tower.of(some), start * width)
    }
    return all
  }
  async function project(trunk: Float32Array): Promise<Float32Array> {
    const { embedDim } = config
    const all = new Float32Array((trunk.length / width) * embedDim)
    for (let start = 0; start * width < trunk.length; start += batchSize) {
      all.set(await projection.of([trunk.subarray(start * width, (start + batchSize) * width)]), start * embedDim)
    }
    return all
  }
  return {
    batchSize,
    precision: used,
    encode: async (images) => project(await trunk(images)),
    trunk,
    project,
    dispose: async () => void (await Promise.all([tower.dispose(), projection.dispose()])),
  }
}

/** An image tower that is there, or coming, before anybody asked for an encoder. */
interface EarlyTower {
  readonly weights: Weights
  readonly batchSize: number
  readonly tower: ReturnType<typeof batched>
}

const early = new WeakMap<Runtime, EarlyTower>()

/**
 * Begins to open the image tower in float32 for batches of `batchSize`, while other things keep this thread busy: the next
 * imageEncoder of this model and runtime has it, and takes as many at a time. It is freed with that, or with the runtime.
 */
export function openTowerEarly(clip: Towers, runtime: Runtime, batchSize: number): void {
  const { size } = clip.config.preprocess
  const tower = batched(runtime, [batchSize, 3, size, size], (shape) => floatTrunk(clip, shape))
  tower.open().catch(() => undefined) // said when it is used
  early.set(runtime, { weights: clip.weights, batchSize, tower })
}

function takeTower(clip: Towers, runtime: Runtime): EarlyTower | undefined {
  const found = early.get(runtime)
  if (found?.weights !== clip.weights) return undefined
  early.delete(runtime)
  return found
}

/** Values of the weights of a large model. */
const LARGE = 20_000_000

/** Whether an image takes so long that larger batches make it no faster on a processor. */
export function isLarge(config: ClipConfig): boolean {
  return Array.from(expectedTensors(config).values()).reduce((sum, shape) => sum + sizeOf(shape), 0) > LARGE
}

async function floatTrunk({ config, weights }: Towers, shape: Shape): Promise<Program<'y'>> {
  const graph = new Graph()
  return program(graph, { y: imageTrunk(constantParameters(graph, weights), config, graph.input('x', shape)) })
}

async function int8Trunk(clip: Towers, shape: Shape): Promise<Program<'y'>> {
  const { config, weights } = clip
  const { vision, preprocess } = config
  if (vision.kind === 'vit') return int8Linear(await floatTrunk(clip, shape))
  const graph = new Graph()
  const p = constantParameters(graph, weights)
  const kernels = await roundedConvolutions(weights)
  return program(graph, { y: int8ResNet(p, vision, preprocess, kernels, graph.input('x', shape)) })
}

/** The tower up to its last projection. */
const TRUNKS: Readonly<Record<Precision, typeof floatTrunk>> = { float32: floatTrunk, int8: int8Trunk }

/**
 * A part of the model for batches of one shape: fewer rows are filled up with zeros, so that a row gives the same digits
 * whatever the others are. It is loaded with the first rows.
 */
function batched(runtime: Runtime, shape: Shape, part: (shape: Shape) => Promise<Program<'y'>>) {
  let session: Promise<Session<'y'>> | undefined
  // pictures are decoded and cut meanwhile
  const load = async () => runtime.load(await part(shape), { spinning: false })
  const open = () => {
    session ??= load()
    return session
  }
  return {
    open,
    /** @param parts of the rows, one after the other */
    async of(parts: readonly Float32Array[]): Promise<Float32Array> {
      const x = floatTensor(shape)
      let filled = 0
      for (const part of parts) {
        x.data.set(part, filled)
        filled += part.length
      }
      const { y } = await (await open()).run({ x })
      return y.data.subarray(0, (filled / x.data.length) * y.data.length)
    },
    // of one that could not be loaded there is nothing to free, and who asked it was told
    dispose: async () => (await session?.catch(() => undefined))?.dispose(),
  }
}

/** Rows that one program of `encodeTexts` computes at most, unless a single text has more. */
const MAX_ROWS = 8192

/**
 * Features of texts, `(texts, embed)`, not normalised. Texts are cut to the tower's context length. What texts of a
 * program begin with alike is computed once (see packing.ts).
 *
 * @param maxRows of tokens in one program; more texts take several programs
 * @throws CoopError for a text that spells out the start or end token
 */
export async function encodeTexts(
  clip: Clip,
  runtime: Runtime,
  texts: readonly string[],
  maxRows = MAX_ROWS,
): Promise<FloatTensor> {
  checkArguments(
    'encodeTexts',
    { clip, runtime, texts, maxRows },
    { clip: aClip, runtime: aRuntime, texts: listOfTexts, maxRows: wholeFrom(1) },
  )
  const { embedDim } = clip.config
  const features = floatTensor([texts.length, embedDim])
  const { tokenizer } = clip
  for (const text of texts) encodePlain(tokenizer, text)
  const sequences = texts.map((text) => tokenizer.tokenize(text))
  let start = 0
  for (const chunk of chunksOfRows(sequences, maxRows)) {
    features.data.set(await encodePacked(clip, runtime, pack(chunk)), start * embedDim)
    start += chunk.length
  }
  return features
}

function chunksOfRows<T>(sequences: readonly (readonly T[])[], maxRows: number): (readonly T[])[][] {
  const chunks: (readonly T[])[][] = []
  let rows = Number.POSITIVE_INFINITY
  for (const sequence of sequences) {
    if (rows + sequence.length > maxRows) {
      chunks.push([])
      rows = 0
    }
    chunks.at(-1)?.push(sequence)
    rows += sequence.length
  }
  return chunks
}

async function encodePacked(clip: Clip, runtime: Runtime, packing: Packing): Promise<Float32Array> {
  const { config, weights } = clip
  const graph = new Graph()
  const rows = embedRows(clip, packing.slots, packing.positions)
  const p = constantParameters(graph, weights)
  const session = await runtime.load(
    program(graph, { features: textTower(p, config.text, config.embedDim, packing, graph.input('rows', rows.shape)) }),
    { once: true },
  )
  try {
    const { features } = await session.run({ rows })
    return features.data
  } finally {
    await session.dispose()
  }
}

/** What the text tower takes, `(rows, width)`: the embedding of each row's token plus that of its position. */
export function embedRows(clip: Clip, tokens: readonly number[], positions: readonly number[]): FloatTensor {
  checkArguments('embedRows', { clip, tokens, positions }, { clip: aClip, tokens: wholes, positions: wholes })
  const { width } = clip.config.text
  const rows = tokenRows(clip, tokens)
  const positional = weightOf(clip.weights, 'positional_embedding').data
  for (const [i, position] of positions.entries()) {
    for (let j = 0; j < width; j++) rows.data[i * width + j]! += positional[position * width + j]!
  }
  return rows
}

/** Token embeddings `(tokens, width)`. */
export function tokenRows(clip: Clip, tokens: readonly number[]): FloatTensor {
  checkArguments('tokenRows', { clip, tokens }, { clip: aClip, tokens: wholes })
  return rowsOfTable(weightOf(clip.weights, 'token_embedding.weight'), tokens)
}

/** Position embeddings `(positions, width)`. */
export function positionRows(clip: Clip, positions: readonly number[]): FloatTensor {
  checkArguments('positionRows', { clip, positions }, { clip: aClip, positions: wholes })
  return rowsOfTable(weightOf(clip.weights, 'positional_embedding'), positions)
}

/** Rows up to which each is read by itself, of a table that is stored and large; more are sooner read with all of it. */
const [FEW_ROWS, LARGE_TABLE] = [500, 1 << 20]

function rowsOfTable(table: FloatTensor, indices: readonly number[]): FloatTensor {
  const [height, width] = dims(table, 2)
  const rows = floatTensor([indices.length, width])
  const isPicked = indices.length <= FEW_ROWS && height * width > LARGE_TABLE
  const valuesFrom = (start: number, end: number) =>
    isPicked ? valuesOf(table, start, end) : table.data.subarray(start, end)
  for (const [i, index] of indices.entries()) rows.data.set(valuesFrom(index * width, (index + 1) * width), i * width)
  return rows
}
