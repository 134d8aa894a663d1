import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { UsageError } from '../../base/errors.ts'
import { loadClip } from '../../clip/load.ts'
import type { Clip } from '../../clip/types.ts'
import { parseJson } from '../../formats/json.ts'
import { openSafetensors, type SafetensorsFile } from '../../formats/safetensors.ts'
import { readSchema } from '../../formats/schema.ts'
import { fileSource, folderModelFiles, readText } from '../../node/files.ts'
import { exists } from '../../node/run-folder.ts'
import type { Runtime } from '../../runtime/types.ts'

/** A folder of reference figures; any part of it may be missing. */
export interface Golden {
  readonly runtime: Runtime
  /** Names of the models' subfolders, whatever they are called. */
  readonly models: readonly string[]
  path(name: string): string
  has(name: string): Promise<boolean>
  /** A JSON file's content, undefined when there is no such file. Throws FileError when it is not as the schema says. */
  json<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.output<Schema> | undefined>
  /** A safetensors file, undefined when there is none. */
  tensors(name: string): Promise<SafetensorsFile | undefined>
  /** A model, loaded once. Throws FileError when it cannot be. */
  clip(model: string): Promise<Clip>
}

const MODEL_CONFIGS = ['config.json', 'open_clip_config.json']

/** Throws UsageError when the folder does not exist. */
export async function openGolden(folder: string, runtime: Runtime): Promise<Golden> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new UsageError(`${folder}: no such folder`, 'give the folder that holds the reference figures')
  })
  const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name)
  const isModel = await Promise.all(folders.map((name) => hasAny(join(folder, name), MODEL_CONFIGS)))
  const clips = new Map<string, Promise<Clip>>()
  const path = (name: string) => join(folder, name)
  const has = (name: string) => exists(path(name))
  return {
    runtime,
    models: folders.filter((_, i) => isModel[i]).sort(),
    path,
    has,
    async json(name, schema) {
      if (!(await has(name))) return undefined
      return readSchema(schema, parseJson(await readText(path(name)), name), name)
    },
    async tensors(name) {
      return (await has(name)) ? openSafetensors(await fileSource(path(name))) : undefined
    },
    clip(model) {
      const clip = clips.get(model) ?? loadClip(folderModelFiles(path(model)))
      clips.set(model, clip)
      return clip
    },
  }
}

async function hasAny(folder: string, files: readonly string[]): Promise<boolean> {
  return (await Promise.all(files.map((file) => exists(join(folder, file))))).includes(true)
}
