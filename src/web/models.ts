import { z } from 'zod'
import { aText, checkArguments, checkOptions, someHooks, texts } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { FORMAT_FILES, PROCESSOR_FILES } from '../clip/load.ts'
import type { ModelFiles } from '../clip/model-files.ts'
import { readClipTables } from '../clip/tokenizer/load.ts'
import { parseJson } from '../formats/json.ts'
import type { ByteSource } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import { storageError, storageFolder } from './runs.ts'

/** Options of urlModel and hubModel. */
export interface FetchOptions extends Hooks {
  /** Whether files are kept in the browser's storage, and taken from there; default: true. */
  readonly keep?: boolean
}

/** Options of urlModel. */
export interface UrlOptions extends FetchOptions {
  /** Names of the files that are there: no others are asked for. Default: whatever loadClip looks for is tried. */
  readonly files?: readonly string[]
}

const OPTIONS = ['keep', 'onProgress', 'onWarning', 'signal']

/** A model of the hub, before its weights are fetched. */
export interface WebHubModel extends ModelFiles {
  /** Of all files that loading it fetches. */
  readonly bytes: number
  /** Whether the browser has all of them. */
  readonly stored: boolean
}

/** A model in the browser's storage. */
export interface StoredModel {
  readonly name: string
  readonly bytes: number
}

const FOLDER = 'coop-models'

/** A file as a source that reads what it needs: a file of the browser's storage is not held in memory. */
const blobSource = (name: string, blob: Blob): ByteSource => ({
  name,
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
})

/** Models of OpenCLIP without a tokenizer beside them use OpenAI's; where a page can have it from, see docs/browser.md. */
const CLIP_MERGES = 'bpe_simple_vocab_16e6.txt.gz'

/**
 * The files of a model below an address. Each is fetched when it is first needed, with progress, and kept in the browser's
 * storage; where that is full it is used all the same.
 *
 * @throws FileError, when a file is read, for an address without it, a page in its place, or a download that was cut off
 */
export function urlModel(folder: string | URL, options: UrlOptions = {}): ModelFiles {
  checkOptions('urlModel', options, ['files', ...OPTIONS])
  const { files: there } = options
  checkArguments(
    'urlModel',
    { folder: String(folder), options, files: there },
    { folder: aText, options: someHooks, files: texts.optional() },
  )
  const base = addressOf(folder)
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  const files = fetched(base.href.replace(/\/$/, ''), (file) => new URL(file, base).href, options)
  return there === undefined ? files : { ...files, has: async (file) => there.includes(file) }
}

/** Of a folder, seen from the page. */
function addressOf(folder: string | URL): URL {
  try {
    return new URL(folder, globalThis.location?.href)
  } catch (cause) {
    const remedy = 'give one such as /models/clip/, seen from the page, or a whole one with https://'
    throw new UsageError(`${JSON.stringify(String(folder))} is no address of a folder`, remedy, { cause })
  }
}

function fetched(name: string, addressOf: (file: string) => string, options: FetchOptions): ModelFiles {
  const files = new Map<string, Promise<Blob | undefined>>()
  const blobOf = (file: string) => {
    const found = files.get(file) ?? storedOrFetched(name, file, addressOf(file), options)
    files.set(file, found)
    found.catch(() => files.delete(file))
    return found
  }
  const wanted = async (file: string) => {
    const blob = await blobOf(file)
    if (blob !== undefined) return blob
    throw new FileError(`${name}/${file} is not there (404)`, 'check the address')
  }
  /** Weights are not fetched to see whether they are there. */
  const asked = new Map<string, Promise<boolean>>()
  const isThere = (file: string) => {
    const found =
      asked.get(file) ??
      (isSmall(file) ? blobOf(file).then((blob) => blob !== undefined) : headed(name, file, addressOf(file), options))
    asked.set(file, found)
    found.catch(() => asked.delete(file))
    return found
  }
  return {
    name,
    has: isThere,
    text: async (file) => (await wanted(file)).text(),
    open: async (file) => blobSource(`${name}/${file}`, await wanted(file)),
    small: true,
    clipTables: async () => readClipTables(blobSource(CLIP_MERGES, await wanted(CLIP_MERGES))),
  }
}

const isSmall = (file: string) => !/\.(safetensors|bin|pt|onnx)$/.test(file)

const keyOf = (name: string, file: string) => `${encodeURIComponent(name)}~${encodeURIComponent(file)}`

async function stored(name: string, file: string): Promise<Blob | undefined> {
  const folder = await storageFolder(FOLDER).catch(() => undefined)
  const handle = await folder?.getFileHandle(keyOf(name, file)).catch(() => undefined)
  const blob = await handle?.getFile()
  return blob !== undefined && blob.size > 0 ? blob : undefined
}

async function headed(name: string, file: string, address: string, options: FetchOptions): Promise<boolean> {
  if (options.keep !== false && (await stored(name, file)) !== undefined) return true
  const response = await answerOf(address, { method: 'HEAD', signal: options.signal })
  return response !== undefined && !isPage(response)
}

/** Undefined where the server says that there is none. */
async function answerOf(address: string, init: RequestInit): Promise<Response | undefined> {
  const response = await fetch(address, init).catch((cause: unknown) => {
    init.signal?.throwIfAborted()
    throw new FileError(`cannot fetch ${address}`, 'check the address and the network', { cause })
  })
  if (response.status === 404) return undefined
  if (response.ok) return response
  throw new FileError(`cannot fetch ${address}: ${response.status} ${response.statusText}`, 'check the address')
}

async function textOf(response: Response, address: string, signal?: AbortSignal): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    signal?.throwIfAborted()
    throw new FileError(`the answer of ${address} was cut off`, 'check the network, and try again', { cause })
  }
}

/** Servers of pages answer with a page for what they do not have. */
const isPage = (response: Response) => /text\/html/.test(response.headers.get('Content-Type') ?? '')

async function storedOrFetched(
  name: string,
  file: string,
  address: string,
  { keep = true, onProgress, onWarning, signal }: FetchOptions,
): Promise<Blob | undefined> {
  const found = keep ? await stored(name, file) : undefined
  if (found !== undefined) return found
  const response = await answerOf(address, { signal })
  if (response === undefined) return undefined
  if (isPage(response)) {
    if (isSmall(file)) return undefined
    throw new FileError(`${address} is a web page, not a file of a model`, 'check the address of the model')
  }
  const blob = await bodyOf(response, address, file, { onProgress, signal })
  if (!keep) return blob
  try {
    return await kept(name, file, blob)
  } catch (cause) {
    onWarning?.(`${storageError(file, cause).message}; it is fetched again next time`)
    return blob
  }
}

async function bodyOf(
  response: Response,
  address: string,
  file: string,
  { onProgress, signal }: Pick<Hooks, 'onProgress' | 'signal'>,
): Promise<Blob> {
  const stated = Number(response.headers.get('Content-Length') ?? 0)
  // what is packed on the way has another length
  const total = response.headers.has('Content-Encoding') ? 0 : stated
  const parts: Blob[] = []
  let done = 0
  try {
    for (const reader = response.body?.getReader(); reader !== undefined; ) {
      const { done: isOver, value } = await reader.read()
      if (isOver) break
      parts.push(new Blob([value])) // the browser may keep Blobs on disk
      done += value.length
      onProgress?.({ kind: 'download', done, total: Math.max(total, done), detail: file })
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw cutOff(address, done, total, cause)
  }
  if (total > 0 && done < total) throw cutOff(address, done, total)
  return new Blob(parts)
}

const cutOff = (address: string, done: number, total: number, cause?: unknown) =>
  new FileError(
    `the download of ${address} was cut off after ${done}${total > 0 ? ` of ${total}` : ''} bytes`,
    'check the network, and try again',
    { cause },
  )

/** The file as the storage has it, which is not in memory. */
async function kept(name: string, file: string, blob: Blob): Promise<Blob> {
  const folder = await storageFolder(FOLDER)
  const key = keyOf(name, file)
  try {
    const handle = await folder.getFileHandle(key, { create: true })
    await blob.stream().pipeTo(await handle.createWritable())
    return await handle.getFile()
  } catch (cause) {
    await folder.removeEntry(key).catch(() => undefined)
    throw cause
  }
}

/** The files of a model that the user chose: all files of its folder, or one of OpenAI's. Nothing is fetched. */
export function fileModel(files: readonly File[]): ModelFiles {
  const list = Array.from(files ?? [])
  if (list.length === 0 || !list.every((file) => file instanceof File)) {
    throw new UsageError('fileModel takes the Files of a model', 'give all files of its folder')
  }
  const named = new Map(list.map((file) => [file.name, file]))
  const [only] = list
  const name =
    only?.webkitRelativePath.split('/').at(-2) || (list.length === 1 ? (only?.name ?? '') : 'the chosen files')
  const fileOf = (file: string) => {
    const found = named.get(file)
    if (found !== undefined) return found
    throw new FileError(`${file} is not among the chosen files`, 'choose all files of the model')
  }
  return {
    name,
    single: list.length === 1 ? only?.name : undefined,
    has: async (file) => named.has(file),
    text: async (file) => fileOf(file).text(),
    open: async (file) => blobSource(`${name}/${file}`, fileOf(file)),
    small: true,
    clipTables: async () => readClipTables(blobSource(CLIP_MERGES, fileOf(CLIP_MERGES))),
  }
}

const HUB = 'https://huggingface.co'

const listing = z.object({
  sha: z.string(),
  siblings: z.array(z.object({ rfilename: z.string(), size: z.number().optional() })),
})

/**
 * A model of the Hugging Face hub, `owner/name` or `owner/name@revision`: its size is known before its weights are fetched,
 * which loadClip does.
 *
 * @throws UsageError for what is no id, FileError where the hub does not answer or has no such model
 */
export async function hubModel(id: string, options: FetchOptions = {}): Promise<WebHubModel> {
  checkOptions('hubModel', options, OPTIONS)
  checkArguments('hubModel', { id, options }, { id: aText, options: someHooks })
  const [, repository, revision = 'main'] = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(id) ?? []
  if (repository === undefined) {
    throw new UsageError(
      `${JSON.stringify(id)} is no model of the hub`,
      'give owner/name, such as openai/clip-vit-base-patch32',
    )
  }
  const about = `${HUB}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`
  const response = await answerOf(about, { signal: options.signal })
  if (response === undefined) throw new FileError(`the hub has no model ${id}`, 'check its name at huggingface.co')
  const what = `the answer of the hub about ${id}`
  const { sha, siblings } = readSchema(listing, parseJson(await textOf(response, about, options.signal), what), what)
  const sizes = new Map(siblings.map(({ rfilename, size = 0 }) => [rfilename, size]))
  const name = `${repository}@${sha}`
  const files = fetched(name, (file) => `${HUB}/${repository}/resolve/${sha}/${file}`, options)
  const wanted = filesOf(sizes)
  const here = await Promise.all(wanted.map((file) => stored(name, file)))
  return {
    ...files,
    has: async (file) => sizes.has(file),
    bytes: wanted.reduce((sum, file) => sum + (sizes.get(file) ?? 0), 0),
    stored: here.every((file) => file !== undefined),
  }
}

/** What loadClip reads of a repository: configuration, the first weights there are, tokenizer. */
function filesOf(sizes: ReadonlyMap<string, number>): string[] {
  const format = FORMAT_FILES.find(
    ({ config, weights }) => sizes.has(config) && weights.some((file) => sizes.has(file)),
  )
  const weights = format?.weights.find((file) => sizes.has(file))
  const shards = weights?.endsWith('.json')
    ? [...sizes.keys()].filter((file) => /^model-.*\.safetensors$/.test(file))
    : []
  const beside = ['vocab.json', 'merges.txt', 'tokenizer.json', 'added_tokens.json', ...PROCESSOR_FILES]
  return [format?.config, weights, ...shards, ...beside].flatMap((file) =>
    file !== undefined && sizes.has(file) ? [file] : [],
  )
}

/** The models whose files the browser keeps for this site, with their sizes. */
export async function storedModels(): Promise<StoredModel[]> {
  const sizes = new Map<string, number>()
  for await (const [key, handle] of (await storageFolder(FOLDER)).entries()) {
    const blob = await (await storageFolder(FOLDER)).getFileHandle(key).then((file) => file.getFile())
    const name = decodeURIComponent(handle.name.split('~')[0] ?? '')
    sizes.set(name, (sizes.get(name) ?? 0) + blob.size)
  }
  return Array.from(sizes, ([name, bytes]) => ({ name, bytes })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Removes the files of a model from the browser's storage. Throws UsageError where there are none. */
export async function removeStoredModel(name: string): Promise<void> {
  checkArguments('removeStoredModel', { name }, { name: aText })
  const folder = await storageFolder(FOLDER)
  const keys: string[] = []
  for await (const key of folder.keys()) if (key.startsWith(`${encodeURIComponent(name)}~`)) keys.push(key)
  if (keys.length === 0) throw new UsageError(`no model "${name}" is stored`, 'storedModels() names them')
  for (const key of keys) await folder.removeEntry(key)
}
