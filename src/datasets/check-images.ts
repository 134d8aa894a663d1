import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { filterBreathing, mapBreathing } from '../base/breathe.ts'
import { countOf } from '../base/count.ts'
import { FileError } from '../base/errors.ts'
import { mapLimited } from '../base/overlap.ts'
import type { Dataset, Item } from '../data/items.ts'
import { ifThere, statIfThere } from '../node/files.ts'

/** Folders that are listed, or files that are looked for, at the same time. */
const LISTINGS = 16
/** Missing images that a message names. */
const NAMED = 5

/**
 * Throws FileError when images are missing on disk or their folders cannot be read, naming the first few with their lines in the file that lists them.
 * Folders are listed, no file is opened: for a data set before hours of work, or `items` of it.
 */
export async function checkImages(
  dataset: Dataset,
  items: readonly Item[] = [...dataset.train, ...dataset.val, ...dataset.test],
): Promise<void> {
  const missing = await missingImages(items)
  if (missing.length === 0) return
  const { name, root, listedIn } = dataset
  const text = listedIn === undefined ? undefined : await ifThere(listedIn, readFile(listedIn, 'utf8'))
  const lines = missing.slice(0, NAMED).map(({ path, name }) => {
    const line = name === undefined ? undefined : lineNaming(text ?? '', name)
    return line === undefined ? `  ${path}` : `  ${listedIn}:${line}: ${path}`
  })
  if (missing.length > NAMED) lines.push(`  ... and ${missing.length - NAMED} more`)
  const total = new Set(items.map(({ path }) => path)).size
  throw new FileError(
    `${name}: ${missing.length} of ${countOf(total, 'image')} ${missing.length === 1 ? 'was' : 'were'} not found:\n${lines.join('\n')}`,
    `check that all images were unpacked into ${root}`,
  )
}

/** The items whose file is not there, each path once, in the order of the items. A folder is listed once. */
export async function missingImages(items: readonly Item[]): Promise<Item[]> {
  const folders = new Map<string, Item[]>()
  await mapBreathing(items, (item) => {
    const folder = dirname(item.path)
    const inside = folders.get(folder)
    if (inside) inside.push(item)
    else folders.set(folder, [item])
  })
  const missing = await mapLimited([...folders], LISTINGS, ([folder, inside]) => missingIn(folder, inside))
  const gone = new Map(missing.flat().map((item) => [item.path, item]))
  if (gone.size === 0) return []
  return [...new Set(await filterBreathing(items, (item) => gone.get(item.path) === item))]
}

async function missingIn(folder: string, items: readonly Item[]): Promise<Item[]> {
  const files = new Set(await ifThere(folder, readdir(folder)))
  const unlisted = await filterBreathing(items, ({ path }) => !files.has(basename(path)))
  if (files.size === 0) return unlisted
  // a file system that ignores case, or composes letters otherwise, lists another name and still opens this one
  const there = await mapLimited(unlisted, LISTINGS, ({ path }) => statIfThere(path))
  return unlisted.filter((_, i) => !there[i])
}

/** The line (from 1) of a JSON text on which a name stands in quotes, its letters as they are or escaped. */
function lineNaming(text: string, name: string): number | undefined {
  const quoted = JSON.stringify(name)
  const escaped = quoted.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const at = [quoted, escaped].map((form) => text.indexOf(form)).find((at) => at !== -1)
  return at === undefined ? undefined : text.slice(0, at).split('\n').length
}
