import { createHash } from 'node:crypto'
import { readBytes } from './files.ts'

/** Hex SHA-256 of a file's bytes. Throws FileError naming the file. */
export async function contentHash(path: string): Promise<string> {
  return hashOf(await readBytes(path))
}

/** Hex SHA-256 of bytes or of a text in UTF-8. */
export function hashOf(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}
