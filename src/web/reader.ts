import { CoopError, FileError } from '../base/errors.ts'
import { sha256 } from '../base/sha256.ts'
import type { RgbImage } from '../clip/types.ts'
import { type Picture, pictureHash } from '../pictures/picture.ts'
import type { Preparation } from '../pictures/prepare.ts'
import type { View } from '../pictures/views.ts'
import type { PictureReader } from '../trained/reader.ts'
import { specialDecoding } from './decode.ts'
import { bytesOf, decodeImage } from './image.ts'
import { withPicture } from './picture-pool.ts'

/** Features that a page remembers, by encoder and picture: it keeps them until it is closed. */
const features = new Map<string, Map<string, Float32Array>>()

/** Reads pictures of a page by the names that its data set gave them. */
export function webReader(files: ReadonlyMap<string, Blob | string>): PictureReader {
  const hashes = new Map<string, Promise<string>>()

  async function blobOf(name: string): Promise<Blob> {
    const file = files.get(name)
    if (file instanceof Blob) return file
    const address = file ?? name
    const response = await fetch(address).catch((cause: unknown) => {
      throw new FileError(`cannot fetch ${address}`, 'check the address and the network', { cause })
    })
    if (response.ok) return response.blob()
    throw new FileError(`cannot fetch ${address}: ${response.status} ${response.statusText}`, 'check the address')
  }
  async function hashOf(bytes: Uint8Array, exif: 'turn' | 'ignore'): Promise<string> {
    const [hash, special] = [await sha256(bytes), specialDecoding(bytes, exif)]
    return special === undefined ? hash : sha256(`${hash} ${special}`)
  }
  const opened = async (picture: Picture) => (typeof picture === 'string' ? blobOf(picture) : picture)

  return {
    async content(picture, exif) {
      if (typeof picture !== 'string')
        return picture instanceof Uint8Array ? hashOf(picture, exif) : pictureHash(picture)
      const key = `${exif} ${picture}`
      const hash = hashes.get(key) ?? blobOf(picture).then(async (blob) => hashOf(await bytesOf(blob, picture), exif))
      hashes.set(key, hash)
      return hash
    },
    decode: async (picture, name, exif) => decodeImage(await opened(picture), name, { exif }),
    async pixels(picture, name, how, views) {
      const image = await decodeImage(await opened(picture), name, how)
      return Promise.all(views.map((view) => preparedBeside(image, how, view)))
    },
    cache(encoderKey) {
      const kept = features.get(encoderKey) ?? new Map<string, Float32Array>()
      features.set(encoderKey, kept)
      return {
        read: async (ids) => new Map(Array.from(ids).flatMap((id) => (kept.has(id) ? [[id, kept.get(id)!]] : []))),
        async append(rows) {
          for (const [id, row] of rows) kept.set(id, row)
        },
      }
    },
  }
}

/** What `prepared` gives, on another thread. */
export async function preparedBeside(image: RgbImage, how: Preparation, view?: View): Promise<Float32Array> {
  const result = await withPicture({ kind: 'prepare', image, how, view })
  if ('pixels' in result) return result.pixels
  throw new CoopError(`a picture cannot be prepared: ${'error' in result ? result.error : 'it has no pixels'}`)
}
