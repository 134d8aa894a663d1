import { stat } from 'node:fs/promises'
import { aText, checkArguments, someHooks } from '../../base/arguments.ts'
import type { Hooks } from '../../base/progress.ts'
import { blobPath, cachedCommit, cachedFile, checkPath, linkBlob, noteCommit, snapshotPath } from './cache.ts'
import { download } from './download.ts'
import { HubError } from './errors.ts'
import { notCached } from './listing.ts'
import { type FileMetadata, fileMetadata } from './metadata.ts'
import { aRepo, type HubRepo, isCommit, repoName } from './repo.ts'
import { type HubSettings, hubSettings } from './settings.ts'

/**
 * Path of a file of a repository in the cache of Python's huggingface_hub, fetched unless it is there.
 * Throws HubError when it cannot be had, FileError when the cache cannot be written.
 */
export async function hubFile(repo: HubRepo, file: string, hooks: Hooks = {}, hub?: HubSettings): Promise<string> {
  checkArguments('hubFile', { repo, file, hooks }, { repo: aRepo, file: aText, hooks: someHooks })
  const [path] = await localFiles(repo, [file], hooks, hub)
  if (path === undefined) throw new Error('one file was asked for')
  return path
}

/** As hubFile for several files, with one progress over the bytes of all that are missing. */
export async function localFiles(
  repo: HubRepo,
  files: readonly string[],
  hooks: Hooks = {},
  hub?: HubSettings,
): Promise<string[]> {
  const settings = hub ?? (await hubSettings())
  const found = await Promise.all(files.map((file) => lookUp(settings, repo, file, hooks)))
  const missing = found.flatMap((one) => (typeof one === 'string' ? [] : [one]))
  const meter = createMeter(missing, hooks)
  const paths: string[] = []
  for (const one of found) {
    paths.push(typeof one === 'string' ? one : await fetchFile(settings, one, hooks, meter))
  }
  return paths
}

/** The path of a file that the cache has, else what the hub says of it. */
async function lookUp(hub: HubSettings, repo: HubRepo, file: string, hooks: Hooks): Promise<string | FileMetadata> {
  checkPath(repo, file)
  const commit = await cachedCommit(hub, repo)
  const cached = commit === undefined ? undefined : await cachedFile(hub, repo, commit, file)
  if (cached !== undefined && (hub.offline || isCommit(repo.revision))) return cached
  if (hub.offline) throw notCached(hub, repo, [file])
  const metadata = await fileMetadata(hub, repo, file, hooks, { once: cached !== undefined }).catch(
    (error: unknown) => {
      if (!(error instanceof HubError)) throw error
      return error
    },
  )
  if (!(metadata instanceof HubError)) {
    await noteCommit(hub, repo, metadata.commit)
    return (await cachedFile(hub, repo, metadata.commit, file)) ?? metadata
  }
  if (cached === undefined || metadata.fault === 'no-file' || metadata.fault === 'no-revision') throw metadata
  hooks.onWarning?.(`${metadata.message}; using the cached ${file} of ${repoName(repo)}`)
  return cached
}

async function fetchFile(hub: HubSettings, source: FileMetadata, hooks: Hooks, meter: Meter): Promise<string> {
  const { repo, file, commit, etag } = source
  const path = snapshotPath(hub, repo, commit, file)
  const blob = blobPath(hub, repo, etag)
  await download(hub, source, blob, hooks, (bytes) => meter.show(source, bytes))
  await linkBlob(hub, blob, path)
  meter.finish(source, (await stat(path)).size)
  return path
}

interface Meter {
  show(source: FileMetadata, bytes: number): void
  finish(source: FileMetadata, bytes: number): void
}

/** Tells the progress of several downloads as one, which only grows. */
function createMeter(sources: readonly FileMetadata[], hooks: Hooks): Meter {
  const total = sources.reduce((sum, { size }) => sum + (size ?? 0), 0)
  let before = 0
  let shown = -1
  const tell = (done: number, detail: string) => {
    // where the hub did not say a size the total is short
    const whole = Math.min(total, done)
    if (whole <= shown) return
    shown = whole
    hooks.onProgress?.({ kind: 'download', done: whole, total, detail })
  }
  return {
    show: ({ file, size }, bytes) => tell(before + Math.min(bytes, size ?? 0), file),
    finish({ file, size }, bytes) {
      before += Math.min(bytes, size ?? 0)
      tell(before, file)
    },
  }
}
