import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type Exif, type Picture, pictureHash } from '../pictures/picture.ts'
import { fileError } from './files.ts'
import { specialDecoding, withBytes } from './image.ts'

/**
 * Hex SHA-256 of what a picture is: of the file's bytes, and another where decoding turns it. Throws FileError naming the
 * file.
 */
export async function contentHash(picture: Picture, exif: Exif = 'ignore'): Promise<string> {
  if (typeof picture !== 'string' && !(picture instanceof Uint8Array)) return pictureHash(picture)
  return withBytes(picture, async (bytes) => {
    const hash = hashOf(bytes)
    const special = await specialDecoding(bytes, exif)
    return special === undefined ? hash : hashOf(`${hash} ${special}`)
  })
}

/** Hex SHA-256 of a file's bytes, without holding it in memory. Throws FileError naming the file. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(bytes)
  } catch (cause) {
    throw fileError('read', path, cause)
  }
  return hash.digest('hex')
}

/** Hex SHA-256 of bytes or of a text in UTF-8. */
export function hashOf(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
