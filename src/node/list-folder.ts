import { readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { FileError } from '../base/errors.ts'
import { fileError, statIfThere, statTarget } from './files.ts'

/** What is directly in a folder, names in byte order (the same on every machine, whatever its locale). */
export interface FolderListing {
  /** Links to folders among them. */
  readonly folders: readonly string[]
  /** Links to files among them. */
  readonly files: readonly string[]
  /** Names that begin with a dot. */
  readonly hidden: readonly string[]
  /** Links that lead nowhere, and those to the folder itself or one above it. */
  readonly badLinks: readonly string[]
}

/** Lists a folder, links followed as `os.listdir` does. Throws FileError when it is missing, not a folder, or not readable. */
export async function listFolder(folder: string): Promise<FolderListing> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(async (cause: unknown) => {
    throw await folderError(folder, cause)
  })
  const links = entries.filter((entry) => entry.isSymbolicLink())
  const here = links.length > 0 ? await realpath(folder) : folder
  const kinds = new Map(
    await Promise.all(links.map(async ({ name }) => [name, await kindOfLink(join(folder, name), here)] as const)),
  )
  const sorted = entries.sort((a, b) => compareBytes(a.name, b.name))
  const namesOf = (wanted: typeof entries) => wanted.map(({ name }) => name)
  const visible = sorted.filter(({ name }) => !name.startsWith('.'))
  return {
    folders: namesOf(visible.filter((entry) => entry.isDirectory() || kinds.get(entry.name) === 'folder')),
    files: namesOf(visible.filter((entry) => entry.isFile() || kinds.get(entry.name) === 'file')),
    hidden: namesOf(sorted.filter(({ name }) => name.startsWith('.'))),
    badLinks: namesOf(visible.filter(({ name }) => kinds.get(name) === 'bad')),
  }
}

/**
 * Lists all that is below a folder, as paths from it: the files of each folder before its folders. No folder is left to be
 * entered (`folders` is empty): hidden ones are not, nor is one that was met before, which counts as a bad link.
 */
export async function listBelow(folder: string): Promise<FolderListing> {
  const entered = new Set<string>()
  const found: (Omit<FolderListing, 'folders'> & { inside: string })[] = []
  const enter = async (inside: string): Promise<void> => {
    const here = join(folder, inside)
    const listing = await listFolder(here)
    const real = await realpath(here)
    if (entered.has(real)) {
      found.push({ inside: '', files: [], hidden: [], badLinks: [inside] })
      return
    }
    entered.add(real)
    found.push({ ...listing, inside })
    for (const name of listing.folders) await enter(join(inside, name))
  }
  await enter('')
  const all = (kind: 'files' | 'hidden' | 'badLinks') =>
    found.flatMap(({ inside, [kind]: names }) => names.map((name) => join(inside, name)))
  return { folders: [], files: all('files'), hidden: all('hidden'), badLinks: all('badLinks') }
}

/** @param here the folder of the link, free of links */
async function kindOfLink(link: string, here: string): Promise<'file' | 'folder' | 'bad'> {
  const found = await statTarget(link)
  if (!found?.isDirectory()) return found?.isFile() ? 'file' : 'bad'
  const target = await realpath(link)
  const inside = target.endsWith(sep) ? target : target + sep
  return `${here}${sep}`.startsWith(inside) ? 'bad' : 'folder'
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

async function folderError(folder: string, cause: unknown): Promise<FileError> {
  const found = await statIfThere(folder)
  if (!found) return new FileError(`${folder}: no such folder`, 'check the path', { cause })
  if (!found.isDirectory()) {
    return new FileError(`${folder} is a file, not a folder`, 'give the folder that holds the class folders', { cause })
  }
  return fileError('read', folder, cause)
}
