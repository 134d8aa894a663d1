import { readdir, stat } from 'node:fs/promises'
import { FileError } from '../base/errors.ts'

/** What is directly in a folder, names in byte order (the same on every machine, whatever its locale). */
export interface FolderListing {
  readonly folders: readonly string[]
  readonly files: readonly string[]
  /** Symbolic links: never followed, so that no picture is counted twice or outside the folder. */
  readonly links: readonly string[]
}

/** Lists a folder without its hidden entries. Throws FileError when it is missing, not a folder, or not readable. */
export async function listFolder(folder: string): Promise<FolderListing> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(async (cause: unknown) => {
    throw await folderError(folder, cause)
  })
  const visible = entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => compareBytes(a.name, b.name))
  const namesOf = (wanted: typeof visible) => wanted.map(({ name }) => name)
  return {
    folders: namesOf(visible.filter((entry) => entry.isDirectory())),
    files: namesOf(visible.filter((entry) => entry.isFile())),
    links: namesOf(visible.filter((entry) => entry.isSymbolicLink())),
  }
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

async function folderError(folder: string, cause: unknown): Promise<FileError> {
  const found = await stat(folder).catch(() => undefined)
  if (!found) return new FileError(`${folder}: no such folder`, 'check the path', { cause })
  if (!found.isDirectory()) {
    return new FileError(`${folder} is a file, not a folder`, 'give the folder that holds the class folders', { cause })
  }
  return new FileError(`${folder} cannot be read`, 'check its permissions', { cause })
}
