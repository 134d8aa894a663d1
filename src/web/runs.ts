import { aText, bytes, checkArguments } from '../base/arguments.ts'
import { CoopError, FileError, UsageError } from '../base/errors.ts'
import { RUN_FILES } from '../trained/run-files.ts'

/** Where a run keeps its files by name (settings.json, learned.safetensors ...). */
export interface RunStore {
  /** Undefined where there is no such file. */
  read(file: string): Promise<Uint8Array | undefined>
  /** Whole or not at all. */
  write(file: string, content: Uint8Array<ArrayBuffer>): Promise<void>
  remove(file: string): Promise<void>
}

/** A run in the browser's storage. */
export interface BrowserRun {
  readonly name: string
  /** Whether it has its results; one without goes on where it was when train is given its store again. */
  readonly finished: boolean
}

/** The runs that this site keeps in the browser. */
export interface BrowserRuns {
  list(): Promise<BrowserRun[]>
  /** The store of a run, which need not exist yet. */
  open(name: string): Promise<RunStore>
  /** All files of a run, as openRun takes them. */
  files(name: string): Promise<ReadonlyMap<string, Uint8Array>>
  remove(name: string): Promise<void>
}

const FOLDER = 'coop-runs'

/** The runs that this site keeps in the browser (its origin's private file system), until they are removed. */
export function browserRuns(): BrowserRuns {
  return {
    async list() {
      const runs: BrowserRun[] = []
      for await (const [name, handle] of (await runsFolder()).entries()) {
        if (!isFolder(handle)) continue
        const finished = (await readFile(handle, RUN_FILES.results)) !== undefined
        runs.push({ name: decodeURIComponent(name), finished })
      }
      return runs.sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    async open(name) {
      checkArguments('open', { name }, { name: aText })
      const folder = await (await runsFolder()).getDirectoryHandle(encodeURIComponent(name), { create: true })
      return {
        read: (file) => readFile(folder, file),
        write: (file, content) => writeFile(folder, file, content),
        remove: (file) => orAbsent(folder.removeEntry(file)),
      }
    },
    async files(name) {
      const folder = await existing(name)
      const files = new Map<string, Uint8Array>()
      for await (const [file, handle] of folder.entries()) {
        if (isFolder(handle)) continue
        const content = await readFile(folder, file)
        if (content !== undefined) files.set(file, content)
      }
      return files
    },
    async remove(name) {
      await existing(name)
      await (await runsFolder()).removeEntry(encodeURIComponent(name), { recursive: true })
    },
  }
}

const isFolder = (handle: FileSystemHandle): handle is FileSystemDirectoryHandle => handle.kind === 'directory'

/** A folder of the origin's private file system. Throws CoopError where the browser has none to give. */
export async function storageFolder(name: string): Promise<FileSystemDirectoryHandle> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true })
  } catch (cause) {
    throw new CoopError(
      'the browser gives this page no storage',
      'allow the site to keep data (a private window may not), and open it over https or from localhost',
      { cause },
    )
  }
}

const runsFolder = () => storageFolder(FOLDER)

async function existing(name: string): Promise<FileSystemDirectoryHandle> {
  checkArguments('a run of the browser', { name }, { name: aText })
  return (await runsFolder()).getDirectoryHandle(encodeURIComponent(name)).catch((cause: unknown) => {
    throw new UsageError(`there is no run "${name}" in the browser`, 'browserRuns().list() names them', { cause })
  })
}

const isAbsent = (cause: unknown) => cause instanceof DOMException && cause.name === 'NotFoundError'

async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((cause: unknown) => {
    if (isAbsent(cause)) return undefined
    throw cause
  })
}

export async function readFile(
  folder: FileSystemDirectoryHandle,
  file: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const handle = await orAbsent(folder.getFileHandle(file))
  return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer())
}

/** A file of the browser's storage appears when it is closed, whole. */
export async function writeFile(
  folder: FileSystemDirectoryHandle,
  file: string,
  content: Uint8Array<ArrayBuffer>,
): Promise<void> {
  checkArguments('write', { file, content }, { file: aText, content: bytes })
  try {
    const stream = await (await folder.getFileHandle(file, { create: true })).createWritable()
    await stream.write(content)
    await stream.close()
  } catch (cause) {
    throw storageError(file, cause)
  }
}

/** Why the browser does not keep a file. */
export function storageError(file: string, cause: unknown): FileError {
  const isFull = cause instanceof DOMException && cause.name === 'QuotaExceededError'
  const reason = isFull ? "the browser's storage for this site is full" : String(cause)
  return new FileError(
    `cannot keep ${file} in the browser: ${reason}`,
    'remove stored models and runs, or free disk space',
    {
      cause,
    },
  )
}
