import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, link, lstat, readdir, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { FileError } from '../../base/errors.ts'
import { fileError, ifThere, makeFolder, statIfThere, writeFileAtomic } from '../files.ts'
import { type HubRepo, isCommit, isSafePath, repoFolderName } from './repo.ts'
import type { HubSettings } from './settings.ts'

// The cache of Python's huggingface_hub, which both may use at the same time:
//   models--owner--name/refs/main              the commit that a branch or tag stands for
//   models--owner--name/snapshots/COMMIT/FILE  a link to ../../blobs/ETAG
//   models--owner--name/blobs/ETAG             the content, named by its hash
//   models--owner--name/.no_exist/COMMIT/FILE  empty: the repository has no such file

const folderOf = (hub: HubSettings, repo: HubRepo): string => join(hub.cacheDir, repoFolderName(repo))

export const snapshotFolder = (hub: HubSettings, repo: HubRepo, commit: string): string =>
  join(folderOf(hub, repo), 'snapshots', commit)

/** Where the content of this hash is kept. */
export const blobPath = (hub: HubSettings, repo: HubRepo, etag: string): string =>
  join(folderOf(hub, repo), 'blobs', etag)

/** Where a file of a repository is kept. Throws FileError for a path that leads out of the repository. */
export function snapshotPath(hub: HubSettings, repo: HubRepo, commit: string, file: string): string {
  checkPath(repo, file)
  return join(snapshotFolder(hub, repo, commit), ...file.split('/'))
}

/** Throws FileError for a path that leads out of the repository. */
export function checkPath(repo: HubRepo, file: string): void {
  if (isSafePath(file)) return
  throw new FileError(
    `${JSON.stringify(file)} of ${repo.id} on the hub is not a safe file name`,
    'use another repository, and report this one to the hub',
  )
}

const isThere = async (path: string): Promise<boolean> => (await statIfThere(path)) !== undefined

/** The commit that a revision stood for when it was last looked up, or undefined. */
export async function cachedCommit(hub: HubSettings, repo: HubRepo): Promise<string | undefined> {
  if (isCommit(repo.revision)) return repo.revision
  const ref = join(folderOf(hub, repo), 'refs', repo.revision)
  const commit = (await ifThere(ref, readFile(ref, 'utf8')))?.trim() ?? ''
  return isCommit(commit) ? commit : undefined
}

/** Path of a file that the cache holds whole, or undefined. */
export async function cachedFile(
  hub: HubSettings,
  repo: HubRepo,
  commit: string,
  file: string,
): Promise<string | undefined> {
  const path = snapshotPath(hub, repo, commit, file)
  return (await isThere(path)) ? path : undefined
}

/** Paths of all files of a commit that the cache holds, in order. */
export async function cachedFiles(hub: HubSettings, repo: HubRepo, commit: string): Promise<string[]> {
  const folder = snapshotFolder(hub, repo, commit)
  const entries = await ifThere(folder, readdir(folder, { recursive: true, withFileTypes: true }))
  const files = (entries ?? [])
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  const present = await Promise.all(files.map((file) => isThere(join(folder, file)))) // a link may lead nowhere
  return files.filter((_, i) => present[i]).sort()
}

/** Whether a file has the content that this hash names, as far as it is a hash of a content. */
export async function isContentOf(path: string, etag: string): Promise<boolean> {
  const hash = hashFor(etag, (await stat(path)).size)
  if (hash === undefined) return true
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece)
  return hash.digest('hex') === etag
}

/** Large files are named by their SHA-256, small ones by git's SHA-1: of `blob`, the size, a zero byte, the content. */
function hashFor(etag: string, size: number) {
  if (/^[0-9a-f]{64}$/.test(etag)) return createHash('sha256')
  if (/^[0-9a-f]{40}$/.test(etag)) return createHash('sha1').update(`blob ${size}\0`)
  return undefined
}

/** Contents that this process has looked at, as they were then. */
const checked = new Map<string, Promise<boolean>>()

/**
 * Of some cached files of a commit those that are not what was downloaded, which are removed so that they are fetched
 * again. A file that is no link to its content does not say what it should be, and is taken as it is.
 */
export async function removeDamaged(
  hub: HubSettings,
  repo: HubRepo,
  commit: string,
  files: readonly string[],
): Promise<string[]> {
  const damaged: string[] = []
  const contents = join(folderOf(hub, repo), 'blobs')
  for (const file of files) {
    const path = snapshotPath(hub, repo, commit, file)
    const [blob, blobs] = [await ifThere(path, realpath(path)), await ifThere(contents, realpath(contents))]
    if (blob === undefined || dirname(blob) !== blobs) continue
    const { size, mtimeMs } = await stat(blob)
    const seen = `${blob} ${size} ${mtimeMs}`
    const isWhole = checked.get(seen) ?? isContentOf(blob, basename(blob))
    checked.set(seen, isWhole)
    if (await isWhole) continue
    await rm(blob, { force: true }).catch((cause: unknown) => {
      throw cacheError(blob, cause)
    })
    damaged.push(file)
  }
  return damaged
}

/** Whether the cache knows that a commit has no such file. */
export const knownAbsent = (hub: HubSettings, repo: HubRepo, commit: string, file: string): Promise<boolean> =>
  isThere(join(folderOf(hub, repo), '.no_exist', commit, file))

/** Notes that a commit has no such file; a cache that cannot be written goes without. */
export async function noteAbsent(hub: HubSettings, repo: HubRepo, commit: string, file: string): Promise<void> {
  const path = join(folderOf(hub, repo), '.no_exist', commit, file)
  if (!isSafePath(file) || (await isThere(path))) return
  await writeFileAtomic(path, '', { sync: false }).catch(() => undefined)
}

/** Notes what commit a branch or tag stands for; a cache that cannot be written goes without. */
export async function noteCommit(hub: HubSettings, repo: HubRepo, commit: string): Promise<void> {
  if (repo.revision === commit || (await cachedCommit(hub, repo)) === commit) return
  await writeFileAtomic(join(folderOf(hub, repo), 'refs', repo.revision), commit, { sync: false }).catch(
    () => undefined,
  )
}

/** Text of the Cache Directory Tagging Specification, by which backups leave the folder out. */
const CACHE_TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by coop-ts.\n# For information about cache directory tags, see https://bford.info/cachedir/\n'

/** Makes the folder of a blob. Throws FileError when the cache cannot be written. */
export async function prepareCache(hub: HubSettings, blob: string): Promise<void> {
  await makeFolder(dirname(blob)).catch((cause: unknown) => {
    throw cacheError(dirname(blob), cause)
  })
  const tag = join(hub.cacheDir, 'CACHEDIR.TAG')
  if (!(await isThere(tag))) await writeFileAtomic(tag, CACHE_TAG, { sync: false }).catch(() => undefined)
}

/** A refusal of the file system, with what can be done about a cache. */
export function cacheError(path: string, cause: unknown): FileError {
  if (cause instanceof FileError) return cause
  const { message } = fileError('write', path, cause)
  return new FileError(message, 'free some space, or choose another folder for the hub cache (HF_HUB_CACHE)', { cause })
}

/** Puts a blob under a file's name: a relative link as Python makes it, or a copy where there are no links. */
export async function linkBlob(hub: HubSettings, blob: string, path: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    await makeFolder(dirname(path))
    if (await isThere(path)) return
    await makeLink(hub, blob, temporary)
    await rename(temporary, path)
  } catch (cause) {
    throw cacheError(path, cause)
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

async function makeLink(hub: HubSettings, blob: string, path: string): Promise<void> {
  if (hub.symlinks) {
    await symlink(relative(dirname(path), blob), path).catch(() => undefined)
    if (await lstat(path).catch(() => undefined)) return
  }
  await link(blob, path).catch(() => copyFile(blob, path))
}
