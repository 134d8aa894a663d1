import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, statTarget } from '../../node/files.ts'
import { isImageName } from '../image-names.ts'

/** Names of the images directly in a folder, hidden ones left out, in Python's order of strings. No file is looked at. */
export async function imageNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw fileError('read', folder, cause)
  })
  return sortNames(names.filter((name) => !name.startsWith('.') && isImageName(name)))
}

/** Names of the folders directly in a folder, hidden ones left out, links to folders among them. */
export async function folderNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw fileError('read', folder, cause)
  })
  const found = await Promise.all(
    entries
      .filter(({ name }) => !name.startsWith('.'))
      .map(async (entry) => ((await isFolder(folder, entry)) ? [entry.name] : [])),
  )
  return sortNames(found.flat())
}

interface FolderEntry {
  readonly name: string
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

async function isFolder(parent: string, entry: FolderEntry): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  const target = await statTarget(join(parent, entry.name))
  return target?.isDirectory() ?? false
}

/** By code points, as Python sorts; JavaScript sorts by UTF-16 units, which is the same without surrogates. */
function sortNames(names: string[]): string[] {
  const plain = !names.some((name) => /[\ud800-\udfff]/.test(name))
  return plain ? names.sort() : names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
