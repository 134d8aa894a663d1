import type { Hooks } from '../../base/progress.ts'
import type { RemoteFile } from './download.ts'
import { HubError } from './errors.ts'
import { fileUrl, type HubRepo, isCommit, repoName } from './repo.ts'
import { hubRequest } from './request.ts'
import type { HubSettings } from './settings.ts'

/** What the hub says of a file before it is fetched. */
export interface FileMetadata extends RemoteFile {
  readonly commit: string
}

export interface Patience {
  /** One attempt only, because there is another way. */
  readonly once?: boolean
}

/**
 * Asks for a file's commit, hash and size. Large files lie on another host: the hub's own answer, a redirect, says it.
 * Throws HubError (`no-file`) when the repository has no such file.
 */
export async function fileMetadata(
  hub: HubSettings,
  repo: HubRepo,
  file: string,
  hooks: Hooks,
  { once = false }: Patience = {},
): Promise<FileMetadata> {
  const url = fileUrl(hub.endpoint, repo, file)
  const subject = { repo, file }
  const timeout = hub.etagTimeout
  const { response } = await hubRequest(hub, { method: 'HEAD', url, subject, timeout, stopAtFile: true, once }, hooks)
  const { headers, status } = response
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag'))?.replace(/^W\//, '').replaceAll('"', '')
  const commit = headers.get('x-repo-commit') ?? (isCommit(repo.revision) ? repo.revision : undefined)
  if (etag === undefined || commit === undefined || !isName(etag) || !isCommit(commit)) {
    throw new HubError(
      'not-a-hub',
      `${new URL(hub.endpoint).host} gives no commit and hash for ${file} of ${repoName(repo)}`,
      'check that HF_ENDPOINT is a hub, and check any proxies',
    )
  }
  const size = headers.get('x-linked-size') ?? (status < 300 ? headers.get('content-length') : null)
  return {
    repo,
    file,
    // of this very commit, whatever becomes of the branch meanwhile
    url: fileUrl(hub.endpoint, { ...repo, revision: commit }, file),
    etag,
    commit,
    size: size !== null && /^\d+$/.test(size) ? Number(size) : undefined,
  }
}

/** Whether a hash that the hub sent may name a file. */
const isName = (etag: string): boolean => /^[\w][\w.+=-]{0,199}$/.test(etag)
