import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { StoredFile } from '../formats/safetensors.ts'
import type { FileSlice } from '../graph/onnx.ts'
import { storedValues } from '../graph/tensor.ts'
import type { WeightsInFiles } from '../runtime/types.ts'

/** Another file at the same place, or other content, is another state; a backup or other rights are not. */
const stateOf = ({ dev, ino, size, mtimeMs }: Stats) => [dev, ino, size, mtimeMs].join()

/** A file as it is now, to be read whenever its values are needed. */
export function storedFile(name: string, stats: Stats): StoredFile {
  const path = resolve(name)
  const state = stateOf(stats)
  return {
    path,
    state,
    read(into, offset) {
      const file = opened(path, name)
      try {
        if (stateOf(fstatSync(file)) !== state) throw changed(name)
        for (let filled = 0; filled < into.length; ) {
          const read = readSync(file, into, filled, Math.min(into.length - filled, MAX_READ), offset + filled)
          if (read === 0) throw changed(name)
          filled += read
        }
      } finally {
        closeSync(file)
      }
    },
  }
}

const MAX_READ = 1 << 30

function opened(path: string, name: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw changed(name, cause)
  }
}

const changed = (name: string, cause?: unknown) =>
  new FileError(`${name} was changed or removed while it was in use`, 'put it back, and start again', { cause })

/**
 * Where tensors lie in files of one folder that have not changed since they were opened; links are followed, as ONNX Runtime
 * takes nothing from outside the folder.
 */
export async function inFiles(tensors: readonly object[]): Promise<WeightsInFiles> {
  const files = new Map<string, Promise<string | undefined>>()
  const slices = new Map<object, FileSlice>()
  let folder = ''
  for (const tensor of tensors) {
    const place = storedValues(tensor)?.place
    if (place === undefined) continue
    const { path, state, offset, dtype } = place
    const file = files.get(path + state) ?? unchanged(path, state)
    files.set(path + state, file)
    const own = await file
    if (own === undefined) continue
    folder ||= dirname(own)
    if (dirname(own) === folder) slices.set(tensor, { file: basename(own), offset, dtype })
  }
  return { folder, slices }
}

/** A file by its own name; undefined where it is another by now. */
async function unchanged(path: string, state: string): Promise<string | undefined> {
  const own = await realpath(path).catch(() => path)
  const stats = await stat(own).catch(() => undefined)
  return stats !== undefined && stateOf(stats) === state ? own : undefined
}
