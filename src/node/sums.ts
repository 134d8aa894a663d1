import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileHash } from './content-hash.ts'
import { ifThere, writeFileAtomic } from './files.ts'

const SUMS = 'SHA256SUMS'

/** SHA-256 of each file of a folder, by its path with `/`; not of SHA256SUMS itself and of documents. */
async function sumsOf(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => file !== SUMS && !file.endsWith('.md'))
    .sort()
  const sums = new Map<string, string>()
  for (const file of files) sums.set(file, await fileHash(join(folder, file)))
  return sums
}

/** Writes SHA256SUMS of a folder, as `sha256sum -c` reads it. */
export async function writeSums(folder: string): Promise<void> {
  const lines = Array.from(await sumsOf(folder), ([file, sum]) => `${sum}  ${file}\n`)
  await writeFileAtomic(join(folder, SUMS), lines.join(''))
}

/** Files of a folder that are not as its SHA256SUMS says: changed, missing, or not in it. */
export async function changedFiles(folder: string): Promise<string[]> {
  const path = join(folder, SUMS)
  const text = (await ifThere(path, readFile(path, 'utf8'))) ?? ''
  const wanted = new Map(Array.from(text.matchAll(/^(\w{64}) {2}(.+)$/gm), ([, sum = '', file = '']) => [file, sum]))
  const found = await sumsOf(folder)
  return [...new Set([...wanted.keys(), ...found.keys()])].filter((file) => wanted.get(file) !== found.get(file))
}
