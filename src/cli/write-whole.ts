import { rename, rm, writeFile } from 'node:fs/promises'
import { FileError } from '../errors.ts'

/** Writes a file under a name beside its own and renames it, so that it is there whole or not at all. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`
  try {
    await writeFile(partial, content)
    await rename(partial, path)
  } catch (cause) {
    await rm(partial, { force: true })
    throw new FileError(
      `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}`,
      'name another file',
      { cause },
    )
  }
}
