import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { FileSlice } from '../graph/onnx.ts'
import type { WeightsInFiles } from '../runtime/types.ts'

/** Where something was read, and how the file was then. */
interface Slice {
  readonly path: string
  readonly offset: number
  readonly state: string
}

const slices = new WeakMap<ArrayBufferLike, Slice>()

const stateOf = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats) => [dev, ino, size, mtimeMs, ctimeMs].join()

/** Remembers that all of `memory` was read from a file, as long as the memory is there. */
export function rememberSlice(memory: ArrayBufferLike, path: string, offset: number, stats: Stats): void {
  slices.set(memory, { path: resolve(path), offset, state: stateOf(stats) })
}

/**
 * Those of some values that were read from files of one folder which have not changed since: two names of a file are one, and
 * links are followed, as ONNX Runtime takes nothing from outside the folder.
 */
export async function inFiles(values: readonly ArrayBufferView[]): Promise<WeightsInFiles> {
  const files = new Map<string, Promise<string | undefined>>()
  const found = new Map<ArrayBufferView, FileSlice>()
  let folder = ''
  for (const value of values) {
    const slice = slices.get(value.buffer)
    if (slice === undefined) continue
    const key = JSON.stringify([slice.path, slice.state])
    const file = files.get(key) ?? unchanged(slice)
    files.set(key, file)
    const path = await file
    if (path === undefined) continue
    folder ||= dirname(path)
    if (dirname(path) !== folder) continue
    found.set(value, { file: basename(path), offset: slice.offset + value.byteOffset })
  }
  return { folder, slices: found }
}

/** The file of a slice by its own name; undefined where it is another by now. */
async function unchanged({ path, state }: Slice): Promise<string | undefined> {
  const own = await realpath(path).catch(() => path)
  const stats = await stat(own).catch(() => undefined)
  return stats !== undefined && stateOf(stats) === state ? own : undefined
}
