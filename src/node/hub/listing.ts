import { z } from 'zod'
import { checkArguments, someHooks } from '../../base/arguments.ts'
import type { Hooks } from '../../base/progress.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import { cachedCommit, cachedFiles, noteCommit } from './cache.ts'
import { HubError, networkError } from './errors.ts'
import type { Patience } from './metadata.ts'
import { aRepo, type HubRepo, infoUrl, isCommit, repoName, treeUrl } from './repo.ts'
import { bodyOf, type HubAnswer, hubRequest } from './request.ts'
import { type HubSettings, hubSettings } from './settings.ts'

export interface HubFileInfo {
  /** Path in the repository, with `/`. */
  readonly path: string
  /** Bytes, where the hub says so. */
  readonly size?: number
}

/** The files of a repository; see hubFiles. */
export interface HubListing {
  /** The repository with the commit as its revision, so that all that is fetched belongs together. */
  readonly repo: HubRepo
  readonly files: readonly HubFileInfo[]
  /** False where the hub was not asked and `files` are only those that the cache holds. */
  readonly complete: boolean
}

const infoSchema = z.object({
  sha: z.string().refine(isCommit, 'a commit of 40 hexadecimal digits'),
  siblings: z.array(z.object({ rfilename: z.string(), size: z.number().nullish() })).optional(),
})

const treeSchema = z.array(z.object({ type: z.string(), path: z.string(), size: z.number().optional() }))

/** Beyond this number the hub's short answer may leave files out. */
const MAX_SIBLINGS = 50_000

/**
 * The files of a repository at a revision. Without network, or with HF_HUB_OFFLINE, those that the cache holds, with a
 * warning. Throws HubError when the hub has no such repository or revision, or cannot be reached and nothing is cached.
 */
export async function hubFiles(repo: HubRepo, hooks: Hooks = {}, hub?: HubSettings): Promise<HubListing> {
  checkArguments('hubFiles', { repo, hooks }, { repo: aRepo, hooks: someHooks })
  const settings = hub ?? (await hubSettings())
  const cached = await cachedListing(settings, repo)
  if (settings.offline) {
    if (cached) return cached
    throw notCached(settings, repo)
  }
  try {
    return await remoteListing(settings, repo, hooks, { once: cached !== undefined })
  } catch (error) {
    if (cached === undefined || !(error instanceof HubError) || error.fault === 'no-revision') throw error
    hooks.onWarning?.(`${error.message}; using the cached files of ${repoName(repo)}`)
    return cached
  }
}

/** The files as the hub lists them; the commit is noted in the cache. */
export async function remoteListing(
  hub: HubSettings,
  repo: HubRepo,
  hooks: Hooks,
  { once = false }: Patience = {},
): Promise<HubListing> {
  const url = `${infoUrl(hub.endpoint, repo)}?blobs=true`
  const { sha, siblings } = (await askJson(hub, repo, url, infoSchema, hooks, once)).value
  const pinned = { ...repo, revision: sha }
  const files =
    siblings === undefined || siblings.length >= MAX_SIBLINGS
      ? await remoteTree(hub, pinned, hooks)
      : siblings.map(({ rfilename, size }) => infoOf(rfilename, size ?? undefined))
  await noteCommit(hub, repo, sha)
  return { repo: pinned, files, complete: true }
}

async function remoteTree(hub: HubSettings, repo: HubRepo, hooks: Hooks): Promise<HubFileInfo[]> {
  const files: HubFileInfo[] = []
  const asked = new Set<string>()
  for (let url: string | undefined = treeUrl(hub.endpoint, repo); url !== undefined; ) {
    if (asked.has(url)) throw notAHub(hub, repo)
    asked.add(url)
    const page: Page<z.output<typeof treeSchema>> = await askJson(hub, repo, url, treeSchema, hooks, false)
    for (const { type, path, size } of page.value) if (type === 'file') files.push(infoOf(path, size))
    url = page.next
  }
  return files
}

const infoOf = (path: string, size: number | undefined): HubFileInfo => (size === undefined ? { path } : { path, size })

interface Page<T> {
  readonly value: T
  readonly next: string | undefined
}

/** An answer of the API, and where its next page is. */
async function askJson<Schema extends z.ZodType>(
  hub: HubSettings,
  repo: HubRepo,
  url: string,
  schema: Schema,
  hooks: Hooks,
  once: boolean,
): Promise<Page<z.output<Schema>>> {
  const answer = await hubRequest(hub, { method: 'GET', url, subject: { repo }, timeout: hub.etagTimeout, once }, hooks)
  const text = await textOf(answer, hub.etagTimeout, new URL(url))
  const [, next] = /<([^>]+)>\s*;\s*rel="next"/.exec(answer.response.headers.get('link') ?? '') ?? []
  try {
    const what = `the answer from ${new URL(hub.endpoint).host}`
    return { value: readSchema(schema, parseJson(text, what), what), next: next && new URL(next, url).href }
  } catch (cause) {
    throw notAHub(hub, repo, cause)
  }
}

const notAHub = (hub: HubSettings, repo: HubRepo, cause?: unknown) =>
  new HubError(
    'not-a-hub',
    `${new URL(hub.endpoint).host} does not answer the request for ${repoName(repo)} as a hub would`,
    'check HF_ENDPOINT, and whether the network requires a login',
    { cause },
  )

async function textOf(answer: HubAnswer, timeout: number, url: URL): Promise<string> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of bodyOf(answer, timeout)) pieces.push(piece)
  } catch (cause) {
    throw networkError(url, cause)
  }
  return Buffer.concat(pieces).toString('utf8')
}

async function cachedListing(hub: HubSettings, repo: HubRepo): Promise<HubListing | undefined> {
  const commit = await cachedCommit(hub, repo)
  const files = commit === undefined ? [] : await cachedFiles(hub, repo, commit)
  if (commit === undefined || files.length === 0) return undefined
  return { repo: { ...repo, revision: commit }, files: files.map((path) => ({ path })), complete: false }
}

/** Nothing may be asked, and the cache does not have it. */
export function notCached(hub: HubSettings, repo: HubRepo, missing: readonly string[] = []): HubError {
  const what = missing.length > 0 ? `${missing.join(', ')} of ${repoName(repo)}` : repoName(repo)
  return new HubError(
    'unreachable',
    `HF_HUB_OFFLINE is set, and ${what} is not in the cache ${hub.cacheDir}`,
    'unset HF_HUB_OFFLINE to download it, or set HF_HUB_CACHE to the folder that contains it',
  )
}
