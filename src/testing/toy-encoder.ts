import { readFile } from 'node:fs/promises'
import type { RgbImage } from '../clip/types.ts'
import type { FeatureOptions } from '../data/features.ts'
import type { OnlineOptions } from '../data/online.ts'
import { contentHash } from '../node/content-hash.ts'
import type { Picture } from '../pictures/picture.ts'

/** Values of a feature vector: enough that a cache file is large and writing it can be interrupted. */
export const DIM = 512

/** The toy's features of a picture with these bytes: what `featuresOf` must give, however it came by them. */
export function toyFeatures(bytes: readonly number[], view = -1): Float32Array {
  const sum = bytes.reduce((total, byte) => total * 31 + byte, view) % 1009
  return Float32Array.from({ length: DIM }, (_, i) => Math.sin(sum + i))
}

/** A decoder, preprocessing and encoder without a model: a picture is its bytes. 'bad...' cannot be decoded. */
export function toyOptions(encodeMs = 0): FeatureOptions & Pick<OnlineOptions, 'load'> {
  return {
    encoderKey: 'toy',
    dim: DIM,
    content: contentHash,
    load,
    async pixels(picture, _, views) {
      const { data } = await load(picture)
      return views.map((view) => toyFeatures([...data], view?.index))
    },
    async encode(images) {
      await new Promise((resolve) => setTimeout(resolve, encodeMs))
      const features = new Float32Array(images.length * DIM)
      images.forEach((image, i) => {
        features.set(image, i * DIM)
      })
      return features
    },
  }
}

async function load(picture: Picture): Promise<RgbImage> {
  if (typeof picture !== 'string' && !(picture instanceof Uint8Array)) return picture
  const data = new Uint8Array(typeof picture === 'string' ? await readFile(picture) : picture)
  if (new TextDecoder().decode(data).startsWith('bad')) throw new Error('not a picture')
  return { width: data.length, height: 1, data }
}
