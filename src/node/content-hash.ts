import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type Picture, pictureHash } from '../pictures/picture.ts'
import { fileError, readBytes } from './files.ts'

/** Hex SHA-256 of what a picture is; of one on disk the file's bytes. Throws FileError naming the file. */
export async function contentHash(picture: Picture): Promise<string> {
  return typeof picture === 'string' ? hashOf(await readBytes(picture)) : pictureHash(picture)
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
