import type { Hooks } from '../../base/progress.ts'
import { answerError, HubError, networkError, type Subject } from './errors.ts'
import { type HubSettings, hasLogin } from './settings.ts'

export interface HubRequest {
  readonly method: 'GET' | 'HEAD'
  readonly url: string
  /** What messages call the thing requested. */
  readonly subject: Subject
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds until the headers of the answer must be there. */
  readonly timeout: number
  /** Answers other than 2xx that the caller wants to see. */
  readonly accept?: readonly number[]
  /** Of a file's answer on the way to another host, which has the hub's own words about the file: do not go there. */
  readonly stopAtFile?: boolean
  /** One attempt only: the caller has another way. */
  readonly once?: boolean
}

export interface HubAnswer {
  readonly response: Response
  /** Ends the connection, for a body that stands still. */
  readonly abort: (reason: Error) => void
}

/** A hub that answers gets more retries than one that cannot be reached. */
const MAX_ATTEMPTS = { answered: 5, silent: 3 }
const MAX_REDIRECTS = 10
/** What a hub may ask to wait before it is given up. */
const MAX_WAIT_MS = 300_000

/**
 * Asks the hub, follows redirects, waits and asks again where that may help. The token goes to the endpoint alone.
 * Throws HubError for every answer but 2xx and those in `accept`.
 */
export async function hubRequest(hub: HubSettings, request: HubRequest, hooks: Hooks = {}): Promise<HubAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await follow(hub, request).catch((error: unknown) => {
      if (error instanceof HubError) return error
      throw error
    })
    const isError = answer instanceof HubError
    if (!isError && (answer.response.status < 400 || request.accept?.includes(answer.response.status))) return answer
    const error = isError ? answer : answerError(answer.response, request.subject, hub)
    const asked = isError ? undefined : retryAfter(answer.response.headers)
    if (!isError) leave(answer.response.body)
    const wait = asked ?? hub.retryDelay * 2 ** (attempt - 1)
    const hopeless =
      error.fault !== 'unreachable' || attempt >= MAX_ATTEMPTS[isError ? 'silent' : 'answered'] || wait > MAX_WAIT_MS
    if (request.once || hopeless) throw error
    hooks.onWarning?.(`${error.message}; trying again in ${Math.ceil(wait / 1000)} s`)
    await sleep(wait)
  }
}

/**
 * The body of an answer, piece by piece. Throws when it stands still for `timeout` milliseconds, whether or not the end of the
 * connection is passed on to its reader (a body that is said to be compressed, and is not, never hears of it).
 */
export async function* bodyOf({ response, abort }: HubAnswer, timeout: number): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  let timer: ReturnType<typeof setTimeout> | undefined
  const stalled = () =>
    new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DOMException('it stopped sending data', 'TimeoutError')), timeout)
    })
  try {
    for (;;) {
      const { value } = await Promise.race([reader.read(), stalled()])
      clearTimeout(timer)
      if (value === undefined) return
      yield value
    }
  } catch (error) {
    if (error instanceof Error) abort(error)
    throw error
  } finally {
    clearTimeout(timer)
    leave(reader)
  }
}

/** Nobody waits for what is left of a body. */
export function leave(body: Pick<ReadableStream, 'cancel'> | null): void {
  body?.cancel().catch(() => undefined)
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Milliseconds that `Retry-After` asks to wait: seconds, or a date. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return Math.max(0, 1000 * seconds)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

async function follow(hub: HubSettings, request: HubRequest): Promise<HubAnswer> {
  let url = new URL(request.url)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await ask(hub, request, url)
    const { status, headers, body } = answer.response
    const location = status >= 300 && status < 400 ? headers.get('location') : null
    if (location === null) {
      if (status >= 300 && status < 400) throw strange(request, `answered ${status} without a location`, url)
      return answer
    }
    const next = urlOf(location, url)
    if (request.stopAtFile && describesFile(headers, next?.origin !== url.origin)) return answer
    leave(body)
    if (next === null) throw strange(request, 'redirects to what is no address', url)
    if (!/^https?:$/.test(next.protocol)) throw strange(request, `redirects to ${next.protocol}`, url)
    url = next
  }
  throw strange(request, `redirects more than ${MAX_REDIRECTS} times`, url)
}

/** Whether a redirect says itself what the file is: its commit, and a hash that is not the redirect's own. */
const describesFile = (headers: Headers, leavesHub: boolean): boolean =>
  headers.has('x-repo-commit') && (headers.has('x-linked-etag') || leavesHub)

function urlOf(text: string, base: URL): URL | null {
  try {
    return new URL(text, base)
  } catch {
    return null
  }
}

async function ask(hub: HubSettings, request: HubRequest, url: URL): Promise<HubAnswer> {
  const { method, headers, timeout } = request
  if (hasLogin(url)) throw strange(request, 'was named with a password in its address', url)
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DOMException('no answer', 'TimeoutError')), timeout)
  const isHub = url.origin === new URL(hub.endpoint).origin
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: controller.signal,
      headers: {
        // sizes and ranges are those of the file, not of a compressed copy
        'accept-encoding': 'identity',
        'user-agent': 'coop-ts',
        ...headers,
        ...(isHub && hub.token !== undefined && { authorization: `Bearer ${hub.token}` }),
      },
    })
    return { response, abort: (reason) => controller.abort(reason) }
  } catch (cause) {
    throw networkError(url, cause)
  } finally {
    clearTimeout(timer)
  }
}

function strange({ subject }: HubRequest, what: string, { host }: URL): HubError {
  return new HubError(
    'not-a-hub',
    `${host} ${what} when asked for ${subject.file ?? subject.repo.id}`,
    'check HF_ENDPOINT, and any proxies',
  )
}
