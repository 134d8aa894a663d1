import { randomUUID } from 'node:crypto'
import { access, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ModelFiles } from '../clip/load.ts'
import type { ByteSource } from '../clip/safetensors.ts'
import { FileError } from '../errors.ts'

/** The files of a model in a local folder. */
export function folderModelFiles(folder: string): ModelFiles {
  return {
    name: folder,
    async has(file) {
      return access(join(folder, file)).then(
        () => true,
        () => false,
      )
    },
    text: (file) => readText(join(folder, file)),
    open: (file) => fileSource(join(folder, file)),
  }
}

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
    return new Uint8Array(await readFile(path))
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

/** Random access to a file; it is opened for each read, so there is nothing to close. */
export async function fileSource(path: string): Promise<ByteSource> {
  try {
    const { size } = await stat(path)
    return { name: path, size, read: (offset, length) => readRange(path, offset, length) }
  } catch (cause) {
    throw fileError('read', path, cause)
  }
}

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    const file = await open(path)
    try {
      const bytes = new Uint8Array(length)
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

/**
 * Writes a file whole or not at all: to a temporary name beside it, synced, then renamed. Makes missing folders.
 * Throws FileError naming the file.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, content, { flush: true })
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw fileError('write', path, cause)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EMFILE: 'too many files are open',
}

/** A failure of the file system as a FileError that says what was tried on which path, and why it failed. */
export function fileError(action: 'read' | 'write', path: string, cause: unknown): FileError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause))
  return new FileError(`cannot ${action} ${path}: ${reason}`, undefined, { cause })
}
