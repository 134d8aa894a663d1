import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type Exif, type Picture, pictureHash } from '../pictures/picture.ts'
import { fileState } from './file-state.ts'
import { fileError } from './files.ts'
import { specialDecoding, withBytes } from './image.ts'

/** Hashes of files that this process has read, by all that changes when their content does. */
const known = new Map<string, string>()

/**
 * Hex SHA-256 of what a picture is: of the file's bytes, read once, and another where decoding turns it. Throws FileError
 * naming the file.
 */
export async function contentHash(picture: Picture, exif: Exif = 'ignore'): Promise<string> {
  if (typeof picture !== 'string')
    return picture instanceof Uint8Array ? hashOfBytes(picture, exif) : pictureHash(picture)
  const about = await stat(picture).catch((cause: unknown) => {
    throw fileError('read', picture, cause)
  })
  const key = `${picture} ${exif} ${fileState(about)}`
  const hash = known.get(key) ?? (await withBytes(picture, (bytes) => hashOfBytes(bytes, exif)))
  known.set(key, hash)
  return hash
}

async function hashOfBytes(bytes: Uint8Array, exif: Exif): Promise<string> {
  const hash = hashOf(bytes)
  const special = await specialDecoding(bytes, exif)
  return special === undefined ? hash : hashOf(`${hash} ${special}`)
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
