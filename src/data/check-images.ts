import { access, readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileError } from '../errors.ts'
import type { Dataset, Item } from './items.ts'
import { mapLimited } from './overlap.ts'

/** Folders that are listed, or files that are looked for, at the same time. */
const LISTINGS = 16
/** Missing images that a message names. */
const NAMED = 5

/**
 * Throws FileError when images are missing on disk, naming the first few with their lines in the file that lists them.
 * Folders are listed, no file is opened: for a data set before hours of work, or `items` of it.
 */
export async function checkImages(
  dataset: Dataset,
  items: readonly Item[] = [...dataset.train, ...dataset.val, ...dataset.test],
): Promise<void> {
  const missing = await missingImages(items)
  if (missing.length === 0) return
  const { name, root, listedIn } = dataset
  const text = listedIn === undefined ? '' : await readFile(listedIn, 'utf8').catch(() => '')
  const lines = missing.slice(0, NAMED).map(({ path, name }) => {
    const line = name === undefined ? undefined : lineNaming(text, name)
    return line === undefined ? `  ${path}` : `  ${listedIn}:${line}: ${path}`
  })
  if (missing.length > NAMED) lines.push(`  ... and ${missing.length - NAMED} more`)
  const total = new Set(items.map(({ path }) => path)).size
  throw new FileError(
    `${name}: ${missing.length} of ${total} images are not there:\n${lines.join('\n')}`,
    `see whether the images were unpacked whole into ${root}`,
  )
}

/** The items whose file is not there, each path once, in the order of the items. */
export async function missingImages(items: readonly Item[]): Promise<Item[]> {
  const byPath = new Map(items.map((item) => [join(item.path), item]))
  const folders = [...new Set([...byPath.keys()].map((path) => dirname(path)))]
  const listings = await mapLimited(folders, LISTINGS, async (folder) => new Set(await readdir(folder).catch(() => [])))
  const files = new Map(folders.map((folder, i) => [folder, listings[i] ?? new Set()]))
  const unlisted = [...byPath].filter(([path]) => !files.get(dirname(path))?.has(basename(path)))
  // a file system that ignores case, or composes letters otherwise, lists another name and still opens this one
  const gone = await mapLimited(unlisted, LISTINGS, async ([path, item]) => {
    if (files.get(dirname(path))?.size === 0) return [item]
    return access(path).then(
      () => [],
      () => [item],
    )
  })
  return gone.flat()
}

/** The line (from 1) of a JSON text on which a name stands in quotes, its letters as they are or escaped. */
function lineNaming(text: string, name: string): number | undefined {
  const quoted = JSON.stringify(name)
  const escaped = quoted.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const at = [quoted, escaped].map((form) => text.indexOf(form)).find((at) => at !== -1)
  return at === undefined ? undefined : text.slice(0, at).split('\n').length
}
