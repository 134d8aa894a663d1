import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { randomFor } from '../src/base/random.ts'

export interface PhotoSize {
  readonly width: number
  readonly height: number
}

/** What a telephone sends on, and what the web shows. */
export const LARGE: PhotoSize = { width: 1600, height: 1200 }
export const SMALL: PhotoSize = { width: 320, height: 240 }

export const sizeText = ({ width, height }: PhotoSize): string => `${width} x ${height}`

/** Pixels that a scene is larger than a photo of it, so that photos differ. */
const ROOM = 128

/**
 * A folder of JPEGs for each class: cuts of a scene of one colour with noise at all scales, which compresses about as
 * photographs do.
 *
 * @returns kilobytes of a file, in the mean
 */
export async function savePhotos(folder: string, classes: number, count: number, size: PhotoSize): Promise<number> {
  let bytes = 0
  for (let label = 0; label < classes; label++) {
    const place = join(folder, `class ${label + 1}`)
    await mkdir(place, { recursive: true })
    const scene = await sceneOf(label, size)
    const random = randomFor('bench photo', label)
    for (let i = 0; i < count; i++) {
      const jpeg = await sharp(scene.data, { raw: { ...scene, channels: 3 } })
        .extract({ left: random.int(ROOM), top: random.int(ROOM), ...size })
        .jpeg({ quality: 90 })
        .toBuffer()
      bytes += jpeg.length
      await writeFile(join(place, `${i}.jpg`), jpeg)
    }
  }
  return bytes / 1000 / (classes * count)
}

/** Noise of a few pixels, of tens and of hundreds, the coarser the stronger. */
async function sceneOf(label: number, { width, height }: PhotoSize) {
  const [w, h] = [width + ROOM, height + ROOM]
  const random = randomFor('bench scene', label)
  const layers = [160, 40, 8, 2].map((scale) => ({
    strength: 20 * scale ** 0.35,
    small: { width: Math.ceil(w / scale), height: Math.ceil(h / scale) },
  }))
  const values = new Float32Array(w * h * 3)
  for (let i = 0; i < values.length; i++) values[i] = 128 + 40 * Math.sin(label + (i % 3))
  for (const { strength, small } of layers) {
    const noise = Uint8Array.from({ length: small.width * small.height * 3 }, () => 256 * random.next())
    const layer = await sharp(noise, { raw: { ...small, channels: 3 } })
      .resize(w, h, { fit: 'fill' })
      .raw()
      .toBuffer()
    for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + (strength * ((layer[i] ?? 0) - 128)) / 128
  }
  return { width: w, height: h, data: Uint8ClampedArray.from(values) }
}
