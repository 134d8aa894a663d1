import { dirname, join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import { loadClip } from '../clip/load.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import type { Clip, Towers } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import { modelFilesAt } from '../node/files.ts'
import { knownFingerprint } from '../node/known-fingerprints.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { ProfiledOptions, Runtime } from '../runtime/types.ts'
import { expectPictures } from '../trained/pictures.ts'
import { type ResolvedModel, resolveModel } from './model-word.ts'

/** A model in memory, where it is, and the names of its files there. */
export interface OpenedModel extends ResolvedModel {
  readonly clip: Clip
  readonly parts: readonly string[]
}

/** How a model is opened. */
export interface OpenModelOptions {
  /** Folder in which the fingerprints of models are kept; left out: they are not. */
  readonly cache?: string
  /** Told of a model that is there but for its fingerprint, which is computed next. */
  readonly onNew?: (clip: Towers) => void
}

/** The model that a command or a plan names. Throws FileError or HubError when there is none that can be used. */
export async function openModel(
  word: string,
  hooks: Hooks,
  { cache, onNew }: OpenModelOptions = {},
): Promise<OpenedModel> {
  const began = Date.now()
  const resolved = await resolveModel(word, hooks)
  const parts = new Set<string>()
  const files = noting(await modelFilesAt(resolved.files), parts)
  // modelFilesAt has taken it for a folder, or for a file in one
  const folder = files.single === undefined ? resolved.files : dirname(resolved.files)
  const fingerprint = (compute: () => Promise<string>, clip: Towers) => {
    const read = Array.from(parts, (file) => join(folder, file))
    const computed = () => {
      onNew?.(clip)
      return compute()
    }
    return cache === undefined ? computed() : knownFingerprint(cache, read, began, computed)
  }
  const clip = await loadClip({ ...files, fingerprint })
  return { ...resolved, clip, parts: [...parts] }
}

/** Files of a model; the names of those that are there and asked for are kept. */
function noting(files: ModelFiles, parts: Set<string>): ModelFiles {
  const note = <T>(file: string, found: T): T => {
    if (found !== false) parts.add(file)
    return found
  }
  return {
    ...files,
    has: async (file) => note(file, await files.has(file)),
    text: async (file) => note(file, await files.text(file)),
    open: async (file) => note(file, await files.open(file)),
  }
}

/** A model and a runtime to use it on, which is closed afterwards. Throws as openModel does. */
export async function withModel<T>(
  model: string,
  options: BesideOptions,
  hooks: Hooks,
  work: (clip: Clip, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const open = (how: OpenModelOptions) => openModel(model, hooks, how)
  return withRuntimeBeside(open, options, hooks, ({ clip }, runtime) => work(clip, runtime))
}

/** What a model and a runtime are opened for. */
export interface BesideOptions extends ProfiledOptions {
  readonly cache?: string
  /** Pictures that are to be encoded. */
  readonly items?: readonly Item[]
}

/**
 * A runtime that is opened while a model is, and closed afterwards. Of a large model whose fingerprint is not known the image
 * tower is opened while that is computed: its pictures are most likely new, too.
 */
export async function withRuntimeBeside<A, T>(
  open: (how: OpenModelOptions) => Promise<A>,
  { cache, items = [], ...options }: BesideOptions,
  hooks: Hooks,
  work: (opened: A, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const pictures = items.filter(({ given }) => given === undefined).length
  const unnamed: Towers[] = []
  let expect = (clip: Towers): unknown => unnamed.push(clip)
  const opening = open({ cache, onNew: (clip) => expect(clip) })
  opening.catch(() => undefined) // it may fail before anybody waits for it
  return withRuntime(options, hooks, async (runtime) => {
    expect = (clip) => expectPictures(clip, runtime, pictures)
    unnamed.forEach(expect)
    return work(await opening, runtime)
  })
}

/** A runtime that is closed afterwards; its fall-back is said. */
export async function withRuntime<T>(
  options: ProfiledOptions,
  hooks: Hooks,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  return withPool(1, options, hooks, ([runtime]) => {
    if (runtime === undefined) throw new Error('one runtime was asked for')
    return work(runtime)
  })
}

/** Runtimes that work at the same time, closed afterwards; a fall-back is said once. */
export async function withPool<T>(
  count: number,
  options: ProfiledOptions,
  hooks: Hooks,
  work: (runtimes: readonly Runtime[]) => Promise<T>,
): Promise<T> {
  const runtimes = await Promise.all(Array.from({ length: count }, () => nodeRuntime(options)))
  const [note] = runtimes.flatMap((runtime) => runtime.note ?? [])
  if (note !== undefined) hooks.onWarning?.(note)
  try {
    return await work(runtimes)
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()))
  }
}
