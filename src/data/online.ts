import { CoopError } from '../base/errors.ts'
import { mapLimited, pipeline } from '../base/overlap.ts'
import { sha256 } from '../base/sha256.ts'
import type { RgbImage } from '../clip/types.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { OnlineViews } from '../learning/batches.ts'
import { type Picture, pictureName } from '../pictures/picture.ts'
import type { FeatureOptions } from './features.ts'

export interface OnlineOptions
  extends Pick<FeatureOptions, 'content' | 'pixels' | 'encode' | 'encoderKey' | 'dim' | 'batchSize'> {
  /** Decodes a picture, which messages call `name`. */
  readonly load: (picture: Picture, name: string) => Promise<RgbImage>
  readonly seed: number
  /** Bytes of decoded pictures that are kept in memory (default 512 MiB); others are decoded again in each epoch. */
  readonly memory?: number
}

const MEMORY = 512 * 2 ** 20

/**
 * A new view of each picture for each epoch, decided by seed, content and epoch, so that a resumed run sees what
 * the uninterrupted one would have seen. Nothing is kept on disk; a batch is prepared while the one before is encoded.
 *
 * Throws FileError naming a picture that cannot be read, here or in an epoch.
 */
export async function onlineViews(pictures: readonly Picture[], options: OnlineOptions): Promise<OnlineViews> {
  const { pixels: pixelsOf, encode, dim, seed, batchSize = 32 } = options
  const names = pictures.map(pictureName)
  const contents = await mapLimited(pictures, 16, options.content)
  const sources = contents.map((content, i) => ({ content, picture: pictures[i] ?? '', name: names[i] ?? '' }))
  const load = remembering(options)

  async function features(epoch: number) {
    const all = floatTensor([pictures.length, 1, dim])
    let row = 0
    const batches = Array.from({ length: Math.ceil(pictures.length / batchSize) }, (_, i) =>
      sources.slice(i * batchSize, (i + 1) * batchSize),
    )
    await pipeline(
      batches,
      (batch) =>
        mapLimited(batch, 8, async (source) => {
          const view = { seed, content: source.content, index: epoch }
          const [pixels] = await pixelsOf(await load(source), source.name, [view])
          return pixels!
        }),
      async (pixels) => {
        const values = await encode(pixels)
        if (values.length !== pixels.length * dim) {
          throw new CoopError(
            `the image encoder gave ${values.length} values for ${pixels.length} images of ${dim} each`,
          )
        }
        all.data.set(values, row * dim)
        row += pixels.length
      },
    )
    return all
  }
  return { key: await sha256(JSON.stringify({ encoder: options.encoderKey, seed, contents })), features }
}

interface Content {
  readonly content: string
  readonly picture: Picture
  readonly name: string
}

/** Pictures decoded once, as far as they find room. */
function remembering({ load, memory = MEMORY }: OnlineOptions): (source: Content) => Promise<RgbImage> {
  const kept = new Map<string, RgbImage>()
  let room = memory
  return async ({ content, picture, name }) => {
    const known = kept.get(content)
    if (known !== undefined) return known
    const image = await load(picture, name)
    if (image.data.length <= room) {
      kept.set(content, image)
      room -= image.data.length
    }
    return image
  }
}
