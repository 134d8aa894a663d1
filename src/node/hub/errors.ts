import { CoopError } from '../../base/errors.ts'
import { type HubRepo, repoName, repoPage } from './repo.ts'
import type { HubSettings } from './settings.ts'

/**
 * Why the hub did not give what was asked for:
 * - `unreachable`: no answer, or one that is no use just now (5xx, too many requests)
 * - `refused`: no right to it
 * - `no-repository`, `no-revision`, `no-file`
 * - `not-a-hub`: the answer is none of a hub's
 * - `damaged`: what came is not what was announced
 */
export type HubFault = 'unreachable' | 'refused' | 'no-repository' | 'no-revision' | 'no-file' | 'not-a-hub' | 'damaged'

/** A failure of the Hugging Face hub, or of the way to it. */
export class HubError extends CoopError {
  readonly fault: HubFault
  constructor(fault: HubFault, message: string, remedy?: string, options?: ErrorOptions) {
    super(message, remedy, options)
    this.fault = fault
  }
}

/** What was asked for, as messages say it. */
export interface Subject {
  readonly repo: HubRepo
  /** A file of the repository; left out where the repository itself was asked about. */
  readonly file?: string
}

const nameOf = ({ repo, file }: Subject): string =>
  file === undefined ? repoName(repo) : `${file} of ${repoName(repo)}`

const KIND = { model: 'model', dataset: 'data set' } as const

/** The failure behind an answer that is no success. */
export function answerError(response: Response, subject: Subject, hub: HubSettings): HubError {
  const { status, headers } = response
  const code = headers.get('x-error-code') ?? ''
  const said = headers.get('x-error-message')
  const words = said === null ? '' : ` (${hub.token === undefined ? said : said.replaceAll(hub.token, '***')})`
  const { repo, file } = subject
  const what = nameOf(subject)
  const page = repoPage(hub.endpoint, repo)
  const host = new URL(hub.endpoint).host

  if (code === 'GatedRepo' || (status === 403 && code === '')) {
    const login =
      hub.token === undefined
        ? 'set HF_TOKEN to a token of your account'
        : 'check that HF_TOKEN is a token of that account and may read it'
    return new HubError(
      'refused',
      `${host} does not give you access to ${what}${words}`,
      `accept its conditions on ${page}, then ${login}`,
    )
  }
  if (code === 'RevisionNotFound')
    return new HubError(
      'no-revision',
      `${repo.id} on ${host} has no revision ${JSON.stringify(repo.revision)}`,
      `see ${page} for its branches, tags and commits`,
    )
  if (code === 'EntryNotFound' || (status === 404 && code === '' && file !== undefined))
    return new HubError(
      'no-file',
      `${repoName(repo)} on ${host} has no file ${file ?? ''}`,
      `see ${page}/tree/${repo.revision} for its files`,
    )
  if (status === 401 && hub.token !== undefined && code !== 'RepoNotFound')
    return new HubError(
      'refused',
      `${host} rejects the token for ${what}${words}`,
      'set HF_TOKEN to a valid token, or unset it',
    )
  if (status === 401 || status === 404)
    return new HubError(
      'no-repository',
      `${host} has no ${KIND[repo.type]} ${repo.id}, or it is private${words}`,
      hub.token === undefined
        ? 'check its name; for a private or gated one set HF_TOKEN'
        : 'check its name, and that HF_TOKEN may read it',
    )
  if (status === 403)
    return new HubError(
      'refused',
      `${host} does not give you access to ${what}${words}`,
      'check what the token in HF_TOKEN may read',
    )
  if (status === 429)
    return new HubError(
      'unreachable',
      `${host} received too many requests from here (429) and did not send ${what}`,
      'wait a few minutes; with a token in HF_TOKEN more requests are allowed',
    )
  if (status >= 500 || status === 408)
    return new HubError(
      'unreachable',
      `${host} has a server error (${status}) and did not send ${what}${words}`,
      'try again later, or set HF_ENDPOINT to a mirror',
    )
  return new HubError(
    'not-a-hub',
    `${host} answered ${status} to the request for ${what}${words}`,
    'check HF_ENDPOINT, and any proxies',
  )
}

/** Why a request got no answer: the innermost cause that says so, by its code. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ENOTFOUND: 'there is no such host, or no network',
  EAI_AGAIN: 'its name cannot be looked up: no network?',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'it did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'it stopped sending data',
}

function reasonOf(cause: unknown): string {
  for (let error = cause; error instanceof Error; error = error.cause) {
    const reason = 'code' in error ? REASONS[String(error.code)] : undefined
    if (reason !== undefined) return reason
    if (error.name === 'TimeoutError') return 'it did not answer in time'
    if (error.cause === undefined) return error.message
  }
  return String(cause)
}

const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']

/** No answer at all. */
export function networkError(url: URL, cause: unknown): HubError {
  const proxy = PROXIES.find((name) => process.env[name])
  const proxies =
    proxy !== undefined && !process.env.NODE_USE_ENV_PROXY
      ? `${proxy} is set, but Node uses it only with NODE_USE_ENV_PROXY=1 (Node 22.21, 24 or newer); `
      : ''
  const reason = reasonOf(cause)
  const certificates = /certificate/i.test(reason) ? 'NODE_EXTRA_CA_CERTS can name a file of extra certificates; ' : ''
  return new HubError(
    'unreachable',
    `cannot reach ${url.host}: ${reason}`,
    `${certificates}${proxies}check the network, set HF_ENDPOINT to a mirror, or use a folder on this machine`,
    { cause },
  )
}
