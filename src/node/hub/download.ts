import { type FileHandle, open, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FileError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { byteText } from '../byte-text.ts'
import { cacheError, isContentOf, prepareCache } from './cache.ts'
import { HubError, networkError } from './errors.ts'
import { claimPartial, releasePartial } from './partial.ts'
import { type HubRepo, repoName } from './repo.ts'
import { bodyOf, hubRequest, leave, sleep } from './request.ts'
import type { HubSettings } from './settings.ts'

/** One content to fetch. */
export interface RemoteFile {
  readonly repo: HubRepo
  readonly file: string
  readonly url: string
  /** SHA-256 of the content, or git's SHA-1 of it; anything else is a name only. */
  readonly etag: string
  /** Bytes; undefined where the hub did not say. */
  readonly size: number | undefined
}

/** Cuts in a row that bring no byte. */
const MAX_CUTS = 5
/** A content that is wrong is fetched once more. */
const MAX_WRONG = 2

/**
 * Fetches a content into `blob`, which appears whole or not at all. Goes on with what an earlier attempt has left, goes
 * on after cut connections, and checks size and hash.
 *
 * Contents are named by their hash, so a part that was left is of the same content: no If-Range is needed, and the hash
 * at the end has the last word.
 * @param report hears how many bytes are there
 * @throws HubError, or FileError when the cache cannot be written
 */
export async function download(
  hub: HubSettings,
  source: RemoteFile,
  blob: string,
  hooks: Hooks,
  report: (bytes: number) => void,
): Promise<void> {
  await prepareCache(hub, blob)
  const partial = await claimPartial(blob, `${source.file} of ${repoName(source.repo)}`, hooks)
  if (partial === undefined) return
  try {
    for (let attempt = 1; ; attempt++) {
      await fetchInto(hub, source, partial, hooks, report)
      const fault = await faultOf(source, partial)
      if (fault === undefined) break
      await rm(partial, { force: true })
      if (attempt === MAX_WRONG) throw damaged(source, fault)
      hooks.onWarning?.(`${source.file} of ${repoName(source.repo)} arrived ${fault}; downloading it again`)
    }
    await rename(partial, blob)
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? cacheError(blob, error) : error
  } finally {
    await releasePartial(blob, partial)
  }
}

const damaged = ({ repo, file }: RemoteFile, fault: string): HubError =>
  new HubError(
    'damaged',
    `${file} of ${repoName(repo)} arrived ${fault}, twice`,
    'a proxy or mirror may be the cause: try another network, or another HF_ENDPOINT',
  )

/** Writes to `path` what is missing there. */
async function fetchInto(
  hub: HubSettings,
  source: RemoteFile,
  path: string,
  hooks: Hooks,
  report: (bytes: number) => void,
): Promise<void> {
  const there = await stat(path).then(
    (file) => file.size,
    () => 0,
  )
  await checkRoom(path, (source.size ?? 0) - there)
  const file = await open(path, there > 0 ? 'r+' : 'w')
  try {
    let offset = there
    if (source.size !== undefined && offset > source.size) offset = 0
    if (offset > 0) report(offset)
    for (let cuts = 0; ; ) {
      const before = offset
      const end = await receive(hub, source, file, offset, hooks, (bytes) => {
        offset = bytes
        report(bytes)
      })
      if (end === 'done') break
      cuts = offset > before ? 1 : cuts + 1
      if (cuts > MAX_CUTS) throw end
      hooks.onWarning?.(`${end.message}; resuming ${source.file}`)
      await sleep(hub.retryDelay * Math.min(cuts, 5))
    }
    await file.truncate(offset)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/**
 * One connection: writes from `offset` on, or from the start where the hub cannot go on. `done` when the answer came
 * to its end, else why it was cut.
 */
async function receive(
  hub: HubSettings,
  source: RemoteFile,
  file: FileHandle,
  offset: number,
  hooks: Hooks,
  moved: (offset: number) => void,
): Promise<'done' | HubError> {
  const { repo, url, size } = source
  if (offset > 0 && offset === size) return 'done'
  const subject = { repo, file: source.file }
  const timeout = hub.downloadTimeout
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {}
  const answer = await hubRequest(hub, { method: 'GET', url, subject, headers, timeout, accept: [416] }, hooks)
  const start = startOf(answer.response, offset)
  if (start === undefined) {
    leave(answer.response.body)
    if (offset === 0) throw damaged(source, 'with a range that was not requested')
    return receive(hub, source, file, 0, hooks, moved)
  }
  checkKind(answer.response, source)
  let position = start
  moved(position)
  try {
    for await (const piece of bodyOf(answer, timeout)) {
      if (size !== undefined && position + piece.length > size) {
        moved(size + 1) // the check of the size says what is wrong
        return 'done'
      }
      await write(file, piece, position, hub.cacheDir)
      position += piece.length
      moved(position)
    }
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    return networkError(new URL(answer.response.url || url), cause)
  }
  return 'done'
}

async function write(file: FileHandle, bytes: Uint8Array, position: number, cache: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  } catch (cause) {
    throw cacheError(cache, cause)
  }
}

/** Where in the content an answer begins, or undefined for a part that was not asked for. */
function startOf({ status, headers }: Response, asked: number): number | undefined {
  if (status === 416) return undefined
  if (status !== 206) return 0
  const [, start] = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '') ?? []
  return Number(start) === asked ? asked : undefined
}

/** A page of a proxy or a hotel's network in place of the file. */
function checkKind({ headers, url }: Response, { repo, file }: RemoteFile): void {
  if (!/^text\/html\b/.test(headers.get('content-type') ?? '') || /\.html?$/.test(file)) return
  throw new HubError(
    'not-a-hub',
    `${new URL(url).host} sent a web page instead of ${file} of ${repoName(repo)}`,
    'check HF_ENDPOINT, and whether the network requires a login',
  )
}

async function checkRoom(path: string, needed: number): Promise<void> {
  const disk = await statfs(dirname(path)).catch(() => undefined)
  if (disk === undefined || disk.bavail * disk.bsize >= needed) return
  throw new FileError(
    `the disk of ${dirname(path)} is full: ${byteText(needed)} are needed, ${byteText(disk.bavail * disk.bsize)} are free`,
    'free some space, or choose another folder for the hub cache (HF_HUB_CACHE)',
  )
}

/** What is wrong with a content, as the end of "it came ...". */
async function faultOf({ etag, size }: RemoteFile, path: string): Promise<string | undefined> {
  const found = (await stat(path)).size
  if (size !== undefined && found !== size)
    return found > size ? `longer than the ${size} bytes announced` : `with ${found} of ${size} bytes`
  return (await isContentOf(path, etag)) ? undefined : 'with a wrong checksum'
}
