import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** A request as it came. */
export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly host: string
  readonly headers: IncomingMessage['headers']
}

export interface HubFile {
  readonly content: Buffer
  /** Large files are sent from another host and named by their SHA-256. */
  readonly isLarge?: boolean
}

/** A stand-in of huggingface.co and of the host that large files are sent from, on this machine. */
export interface HubServer {
  readonly endpoint: string
  readonly commit: string
  readonly files: Map<string, HubFile>
  readonly seen: Seen[]
  /** Answers a request itself and says so (true), or leaves it to the server. */
  intercept: (seen: Seen, response: ServerResponse) => boolean
  /** `GET /owner/tiny/resolve/...` of the requests so far, without the API's. */
  fileRequests(): string[]
  close(): Promise<void>
}

/** What the hub calls a content. */
export function etagOf({ content, isLarge }: HubFile): string {
  return isLarge
    ? createHash('sha256').update(content).digest('hex')
    : createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
}

/** Serves one repository, of a model (`owner/tiny`) or of a data set (`datasets/owner/tiny`). */
export async function hubServer(files: ReadonlyMap<string, HubFile>, repo = 'owner/tiny'): Promise<HubServer> {
  const commit = createHash('sha1').update(repo).digest('hex')
  const revisions = ['main', 'v1', 'refs/convert/parquet', commit]
  const seen: Seen[] = []
  const api = `/api/${repo.startsWith('datasets/') ? repo : `models/${repo}`}`

  const cdn = createServer((request, response) => {
    const one = note(request)
    if (server.intercept(one, response)) return
    const file = server.files.get(decodeURIComponent(new URL(one.url, 'http://cdn').searchParams.get('file') ?? ''))
    send(request, response, file?.content ?? Buffer.alloc(0))
  })
  const hub = createServer((request, response) => {
    const one = note(request)
    if (server.intercept(one, response)) return
    const { pathname } = new URL(one.url, 'http://hub')
    const [, revision] = /\/revision\/([^/]+)$/.exec(pathname) ?? []
    if (pathname.startsWith(`${api}/revision/`)) return info(decodeURIComponent(revision ?? ''), response)
    const [, at, path] = /^\/resolve\/([^/]+)\/(.+)$/.exec(pathname.slice(repo.length + 1)) ?? []
    if (!pathname.startsWith(`/${repo}/`) || at === undefined || path === undefined)
      return refuse(response, 401, 'RepoNotFound')
    if (!revisions.includes(decodeURIComponent(at))) return refuse(response, 404, 'RevisionNotFound')
    const name = decodeURIComponent(path)
    const file = server.files.get(name)
    response.setHeader('x-repo-commit', commit)
    if (file === undefined) return refuse(response, 404, 'EntryNotFound')
    if (!file.isLarge) {
      response.setHeader('etag', `"${etagOf(file)}"`)
      return send(request, response, file.content)
    }
    response.setHeader('x-linked-etag', `"${etagOf(file)}"`)
    response.setHeader('x-linked-size', file.content.length)
    response.setHeader('etag', '"of the redirect"')
    response.setHeader('location', `${addressOf(cdn, 'localhost')}/blob?file=${encodeURIComponent(name)}`)
    response.writeHead(302).end()
  })

  function info(revision: string, response: ServerResponse): void {
    if (!revisions.includes(revision)) {
      refuse(response, 404, 'RevisionNotFound')
      return
    }
    const siblings = [...server.files].map(([rfilename, { content }]) => ({ rfilename, size: content.length }))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: repo, sha: commit, siblings }))
  }

  function note(request: IncomingMessage): Seen {
    const { method = '', url = '', headers } = request
    const one = { method, url, host: headers.host ?? '', headers }
    seen.push(one)
    return one
  }

  await Promise.all([listen(hub, '127.0.0.1'), listen(cdn, 'localhost')])
  const server: HubServer = {
    endpoint: addressOf(hub, '127.0.0.1'),
    commit,
    files: new Map(files),
    seen,
    intercept: () => false,
    fileRequests: () => seen.filter(({ url }) => !url.startsWith('/api/')).map(({ method, url }) => `${method} ${url}`),
    async close() {
      for (const one of [cdn, hub]) one.closeAllConnections()
      await Promise.all([cdn, hub].map((one) => new Promise((resolve) => one.close(resolve))))
    },
  }
  return server
}

const listen = (server: Server, host: string) => new Promise<void>((resolve) => server.listen(0, host, resolve))

function addressOf(server: Server, host: string): string {
  const address = server.address()
  return `http://${host}:${isPort(address) ? address.port : 0}`
}

const isPort = (address: string | AddressInfo | null): address is AddressInfo =>
  typeof address === 'object' && address !== null

/** A refusal in the hub's words. */
export function refuse(response: ServerResponse, status: number, code?: string, message?: string): void {
  if (code !== undefined) response.setHeader('x-error-code', code)
  if (message !== undefined) response.setHeader('x-error-message', message)
  response.writeHead(status).end()
}

/** A content, or the part of it that was asked for. */
function send({ method, headers: { range } }: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  if (start >= content.length && start > 0) {
    refuse(response, 416)
    return
  }
  response.setHeader('content-length', content.length - start)
  if (range !== undefined) response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`)
  response.writeHead(range === undefined ? 200 : 206)
  response.end(method === 'HEAD' ? undefined : content.subarray(start))
}

/** A hub with the model of a folder. */
export async function hubOf(folder: string): Promise<HubServer> {
  const files = (await readdir(folder)).map(async (name): Promise<[string, HubFile]> => {
    return [name, { content: await readFile(join(folder, name)), isLarge: name.endsWith('.safetensors') }]
  })
  return hubServer(new Map(await Promise.all(files)))
}
