import { createHash, randomUUID } from 'node:crypto'
import { type Stats, statSync } from 'node:fs'
import { access, constants, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { anObject, aText, aWord, bytes, checkArguments } from '../base/arguments.ts'
import { FileError } from '../base/errors.ts'
import type { ModelFiles } from '../clip/load.ts'
import { readClipTables } from '../clip/tokenizer/load.ts'
import type { TokenizerTables } from '../clip/tokenizer/tokenizer.ts'
import type { ByteSource } from '../formats/safetensors.ts'
import { clipMerges } from './package.ts'
import { storedFile } from './stored-file.ts'

/** The files of a model in a local folder. */
export function folderModelFiles(folder: string): ModelFiles {
  checkArguments('folderModelFiles', { folder }, { folder: aText })
  return {
    name: folder,
    async has(file) {
      return (await statIfThere(join(folder, file))) !== undefined
    },
    text: (file) => readText(join(folder, file)),
    open: (file) => fileSource(join(folder, file)),
    hash: () => createHash('sha256'),
    clipTables,
  }
}

let tables: Promise<TokenizerTables> | undefined

/** CLIP's own vocabulary (49,408 tokens), which comes with the package. Read once a process. */
function clipTables(): Promise<TokenizerTables> {
  tables ??= fileSource(clipMerges()).then(readClipTables)
  return tables
}

/** The files of a model at a path: a folder, or one of OpenAI's files. Throws FileError when nothing is there. */
export async function modelFilesAt(path: string): Promise<ModelFiles> {
  const found = await stat(path).catch((cause: unknown) => {
    throw fileError('read', path, cause)
  })
  if (found.isDirectory()) return folderModelFiles(path)
  return { ...folderModelFiles(dirname(path)), single: basename(path) }
}

/**
 * What looking at a path finds; undefined where nothing of the kind is there. Throws FileError where that cannot be seen:
 * no permission is not "no such file".
 */
export async function ifThere<T>(path: string, looking: Promise<T>): Promise<T | undefined> {
  return looking.catch((cause: unknown) => {
    if (isAbsent(cause)) return undefined
    throw cause instanceof FileError ? cause : fileError('read', path, cause)
  })
}

/** What is at a path; undefined where nothing is. Throws FileError where that cannot be seen, as without permission. */
export const statIfThere = (path: string): Promise<Stats | undefined> => ifThere(path, stat(path))

/** What a link leads to; undefined where that is nothing, or it leads in a circle. */
export async function statTarget(link: string): Promise<Stats | undefined> {
  return statIfThere(link).catch((error: FileError) => {
    if (codeOf(error.cause) === 'ELOOP') return undefined
    throw error
  })
}

/** Whether something is at a path, for a caller that cannot wait. */
export function existsNow(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (cause) {
    if (isAbsent(cause)) return false
    throw fileError('read', path, cause)
  }
}

/** Whether the file system says that there is nothing, or something of another kind. */
const isAbsent = (cause: unknown): boolean =>
  NOTHING_THERE.includes(codeOf(cause instanceof FileError ? cause.cause : cause))

/** Among them what no path can be. */
const NOTHING_THERE = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']

/** A file's text (UTF-8). Throws FileError naming the file. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

/** A file's bytes. Throws FileError naming the file. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { buffer, byteOffset, byteLength } = await readFile(path)
    return new Uint8Array(buffer, byteOffset, byteLength)
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

/** Random access to a file; it is opened for each read, so there is nothing to close. */
export async function fileSource(path: string): Promise<ByteSource> {
  checkArguments('fileSource', { path }, { path: aText })
  try {
    const stats = await stat(path)
    return {
      name: path,
      size: stats.size,
      read: (offset, length) => readRange(path, offset, length),
      now: storedFile(path, stats),
    }
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    const file = await open(path)
    try {
      // shared, so that what another thread is to see need not be copied
      const bytes = new Uint8Array(new SharedArrayBuffer(length))
      let filled = 0
      // One read gives at most 2 GB, and may give less than asked.
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, Math.min(length - filled, MAX_READ), offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

const MAX_READ = 1 << 30

const someContent = z.union([aWord, bytes], { error: 'text or bytes (a Uint8Array)' })

/**
 * Writes a file whole or not at all: to a temporary name beside it, synced, then renamed. Makes missing folders.
 * Without `sync`, which can take seconds on a busy disk, a power cut may leave a damaged file: for what can be computed
 * again and is checked when read. Throws FileError naming the file.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string,
  options: { readonly sync?: boolean } = {},
): Promise<void> {
  checkArguments(
    'writeFileAtomic',
    { path, content, options },
    { path: aText, content: someContent, options: anObject },
  )
  const { sync = true } = options
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    await makeFolder(dirname(path))
    await writeFile(temporary, content, { flush: sync })
    await rename(temporary, path)
    if (sync) await removeLeftovers(dirname(path), LEFTOVER_AGE_MS, basename(path))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('write', path, cause)
  }
}

/** Makes a folder and those above it. (Node's own recursive mkdir never ends where a parent cannot be made, as in /proc.) */
export async function makeFolder(folder: string): Promise<void> {
  const parent = dirname(folder)
  const found = await stat(folder).catch(() => undefined)
  if (found) return
  if (parent !== folder) await makeFolder(parent)
  await mkdir(folder).catch((cause: unknown) => {
    if (codeOf(cause) !== 'EEXIST') throw cause // another process may have been faster
  })
}

const codeOf = (cause: unknown): string => (cause instanceof Error && 'code' in cause ? String(cause.code) : '')

/** Temporary files older than this, in milliseconds, are what a killed process left: a living one may share the folder. */
export const LEFTOVER_AGE_MS = 3_600_000

/**
 * Removes from a folder what processes killed in writeFileAtomic have left, if it is older than `age` milliseconds.
 * @param file of this file alone
 */
export async function removeLeftovers(folder: string, age = 0, file?: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const isLeft = (name: string) => TEMPORARY.test(name) && (file === undefined || name.startsWith(`.${file}.`))
  for (const name of names.filter(isLeft)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs >= age) await rm(path, { force: true }).catch(() => undefined)
  }
}

const TEMPORARY = /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

/**
 * Throws FileError when files could not be written into `folder`, which need not exist: for work that takes long and
 * writes at its end.
 */
export async function checkWritableFolder(folder: string): Promise<void> {
  let existing = resolve(folder)
  for (;;) {
    const found = await statIfThere(existing)
    if (found && !found.isDirectory()) {
      throw new FileError(`cannot write into ${folder}: ${existing} is a file`, 'choose another folder')
    }
    if (found || existing === dirname(existing)) break
    existing = dirname(existing)
  }
  await access(existing, constants.W_OK).catch((cause: unknown) => {
    throw fileError('write', existing, cause)
  })
}

/** The same for one file, which may be there already. */
export async function checkWritableFile(path: string): Promise<void> {
  const found = await statIfThere(path)
  if (found?.isDirectory()) throw new FileError(`cannot write ${path}: it is a folder`, 'give the name of a file')
  await checkWritableFolder(dirname(path))
}

/** Why the file system refuses, and what to do about it. */
const REASONS: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
  ENOENT: ['no such file or folder', 'check the path'],
  EISDIR: ['it is a folder', 'give a file'],
  ENOTDIR: ['part of its path is not a folder', 'check the path'],
  EACCES: ['permission denied', 'change its permissions, or give another path'],
  EPERM: ['permission denied', 'change its permissions, or give another path'],
  EROFS: ['the file system is read-only', 'give a path on another one'],
  ENOSPC: ['the disk is full', 'free some space, or give a path on another disk'],
  EMFILE: ['too many files are open', 'close other programs, or raise the limit (ulimit -n)'],
}

/** A failure of the file system as a FileError that says what was tried on which path, and why it failed. */
export function fileError(action: 'read' | 'write', path: string, cause: unknown): FileError {
  const [reason, remedy] = REASONS[codeOf(cause)] ?? [
    cause instanceof Error ? cause.message : String(cause),
    'check the path',
  ]
  return new FileError(`cannot ${action} ${path}: ${reason}`, remedy, { cause })
}

/** A text that others may read: whose home folder it was is nobody's business. */
export function withoutHome(text: string): string {
  const home = homedir()
  return home.length > 1 ? text.replaceAll(home, '~') : text
}
