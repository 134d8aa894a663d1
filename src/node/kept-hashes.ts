import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Exif, Picture } from '../pictures/picture.ts'
import { contentHash, hashOf } from './content-hash.ts'
import { fileState, isSettled } from './file-state.ts'
import { writeFileAtomic } from './files.ts'
import { packageVersion } from './package.ts'

/** What is kept of the pictures of a folder: by a picture's name and how it is decoded, its state and its hash. */
interface Shelf {
  readonly path: string
  readonly kept: Map<string, readonly [state: string, hash: string]>
  isNew: boolean
}

const schema = z.array(z.tuple([z.string(), z.string(), z.string().regex(/^[0-9a-f]{64}$/)]))

/** One for each cache folder that this process uses. */
const opened = new Map<string, typeof contentHash>()

/**
 * contentHash of pictures, kept in the cache folder, in a file for each folder of pictures: of a picture whose number, size and
 * times of change are the same it is not computed again. What changed while it was looked at, or just before, is not kept.
 */
export function keptContentHash(cacheDir: string): typeof contentHash {
  const folder = resolve(cacheDir)
  const known = opened.get(folder) ?? openHashes(folder)
  opened.set(folder, known)
  return known
}

function openHashes(cacheDir: string): typeof contentHash {
  const shelves = new Map<string, Promise<Shelf>>()
  let asked = 0

  function shelfOf(folder: string): Promise<Shelf> {
    const known = shelves.get(folder)
    if (known !== undefined) return known
    const name = hashOf(JSON.stringify([packageVersion(), resolve(folder)])).slice(0, 32)
    const shelf = openShelf(join(cacheDir, 'pictures', `${name}.json`))
    shelves.set(folder, shelf)
    return shelf
  }

  async function hashOfFile(path: string, exif: Exif): Promise<string> {
    const began = Date.now()
    const about = await stat(path).catch(() => undefined)
    if (about === undefined) return contentHash(path, exif) // which says what is wrong
    const shelf = await shelfOf(dirname(path))
    const key = `${basename(path)} ${exif}`
    const [state, known] = shelf.kept.get(key) ?? []
    if (known !== undefined && state === fileState(about)) return known
    const hash = await contentHash(path, exif)
    if (isSettled(about, began)) {
      shelf.kept.set(key, [fileState(about), hash])
      shelf.isNew = true
    }
    return hash
  }

  return async (picture: Picture, exif: Exif = 'ignore') => {
    if (typeof picture !== 'string') return contentHash(picture, exif)
    asked++
    try {
      return await hashOfFile(picture, exif)
    } finally {
      asked--
      // the last of those that were asked for together
      if (asked === 0) await Promise.all(Array.from(shelves.values(), async (shelf) => save(await shelf)))
    }
  }
}

/** A file that cannot be read, or is none of ours, keeps nothing. */
async function openShelf(path: string): Promise<Shelf> {
  const text = await readFile(path, 'utf8').catch(() => '[]')
  const kept: Shelf['kept'] = new Map()
  try {
    for (const [key, state, hash] of schema.parse(JSON.parse(text))) kept.set(key, [state, hash])
  } catch {
    kept.clear()
  }
  return { path, kept, isNew: false }
}

/** A cache that cannot be written costs the time to compute it again. */
async function save(shelf: Shelf): Promise<void> {
  if (!shelf.isNew) return
  shelf.isNew = false
  const rows = Array.from(shelf.kept, ([key, [state, hash]]) => [key, state, hash])
  await writeFileAtomic(shelf.path, JSON.stringify(rows), { sync: false }).catch(() => undefined)
}
