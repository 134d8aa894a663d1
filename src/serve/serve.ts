import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { z } from 'zod'
import { checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { CoopError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { AnyMethod } from '../methods/index.ts'
import { packageVersion, playgroundFolder } from '../node/package.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { batcher } from './batcher.ts'
import { checkedOrigin, checkedToken } from './guard.ts'
import { type Limits, limitsSchema } from './limits.ts'
import type { Log } from './logs.ts'
import { serverMetrics } from './metrics.ts'
import { Refusal } from './refusal.ts'
import { asRefusal, type RouteOptions, routes } from './routes.ts'
import { openRuns, type RunToServe } from './served-runs.ts'
import { stopServer } from './stop.ts'
import { watcher } from './watch.ts'

/** Options of serveRuns. */
export interface ServeOptions extends RuntimeOptions, Hooks {
  /** Address to listen on; default: 127.0.0.1, which only this machine reaches. */
  readonly host?: string
  /** Default: 8080; 0: any that is free. */
  readonly port?: number
  /** What is taken on at most. */
  readonly limits?: Partial<Limits>
  /** A bearer token, without which nothing that tells of the runs is answered. */
  readonly token?: string
  /** Origins of pages elsewhere that may ask (CORS), or `*`; default: none. */
  readonly origins?: readonly string[]
  /** Takes the lines of the log; default: they are dropped. */
  readonly log?: Log
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
}

const OPTIONS: Readonly<Record<keyof ServeOptions, true>> = {
  host: true,
  port: true,
  limits: true,
  token: true,
  origins: true,
  log: true,
  methods: true,
  device: true,
  threads: true,
  onProgress: true,
  onWarning: true,
  signal: true,
}

const aRun = z.object({ run: z.string(), name: z.string().optional(), model: z.string().optional() })
const someRuns = z.array(aRun, { error: 'a list of runs { run, name?, model? }' })

/** A server that answers. */
export interface Serving {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** Names of its runs. */
  readonly runs: readonly string[]
  /**
   * Takes no more requests, answers those that have come, and frees everything.
   * @param options `graceSeconds`: how long answers are waited for (default: 30)
   * @returns how many requests were cut off
   */
  close(options?: { readonly graceSeconds?: number }): Promise<number>
}

/**
 * Answers requests over HTTP with learned runs: `POST /v1/classify`, `/v1/runs`, `/openapi.json`, `/healthz`, `/metrics`, and
 * the playground (docs/serve.md).
 *
 * @throws FileError, CoopError as openRun does; UsageError for a wrong option; CoopError for an address that cannot be had
 */
export async function serveRuns(runs: readonly RunToServe[], options: ServeOptions = {}): Promise<Serving> {
  checkOptions('serveRuns', options, Object.keys(OPTIONS))
  checkArguments('serveRuns', { runs, options }, { runs: someRuns, options: someHooks })
  const { host = '127.0.0.1', port = 8080, token, log = () => undefined, methods, limits: some, ...rest } = options
  const { origins: given = [], ...hooks } = rest
  const limits = readLimits(some)
  if (token !== undefined) checkedToken(token, 'the option token')
  const origins = given.map(checkedOrigin)
  const runtime = await nodeRuntime({ ...hooks, spinning: false })
  try {
    if (runtime.note !== undefined) hooks.onWarning?.(runtime.note)
    const served = await openRuns(runs, runtime, { ...hooks, methods })
    const metrics = serverMetrics(() => queued.map(({ name, queue }) => [name, queue.waiting()]))
    const queued = served.map((run) => {
      const onBatch = (size: number) => metrics.batch(run.name, size)
      return { ...run, queue: batcher(run.open, { queue: limits.queue, maxPixels: limits.pixels, onBatch }) }
    })
    const { onPictures, onRequest, onClientError } = watcher(metrics, log)
    let isStopping = false
    const stopping = () => isStopping
    const about = { version: packageVersion(), host, token, origins, site: playgroundFolder() }
    const server = httpServer({ ...about, runs: queued, limits, metrics, log, stopping, onPictures })
    server.prependListener('request', onRequest)
    server.on('clientError', onClientError)
    const url = await listen(server, host, port)

    async function close(graceSeconds: number): Promise<number> {
      const cut = await stopServer(server, 1000 * graceSeconds, metrics.inFlight, () => {
        isStopping = true
      })
      await Promise.all(served.map(({ open }) => open.dispose()))
      await runtime.close()
      return cut
    }
    let closed: Promise<number> | undefined
    return {
      url,
      runs: served.map(({ name }) => name),
      close({ graceSeconds = 30 } = {}) {
        closed ??= close(graceSeconds)
        return closed
      },
    }
  } catch (cause) {
    await runtime.close()
    throw cause
  }
}

function readLimits(given: Partial<Limits> | undefined): Limits {
  const { data, error } = limitsSchema.safeParse(given ?? {})
  if (data !== undefined) return data
  const lines = error.issues.map(({ path, message }) => `${path.join('.') || 'limits'}: ${message}`)
  throw new UsageError(`serveRuns: ${lines.join('; ')}`, 'correct its option limits')
}

function httpServer(options: RouteOptions): Server {
  const { host, limits, log } = options
  const listener = getRequestListener(routes(options).fetch, {
    hostname: host,
    overrideGlobalObjects: false,
    errorHandler(error) {
      const unread = error instanceof Error && error.name === 'RequestError'
      const { status, answer } = unread ? new Refusal(400, error.message) : asRefusal(error, log)
      return Response.json(answer, { status })
    },
  })
  const times = {
    headersTimeout: 1000 * Math.min(limits.seconds, 10),
    // a picture's time is kept in routes.ts, with an answer in words: this is for addresses that read no body
    requestTimeout: 1000 * (limits.seconds + 5),
    connectionsCheckingInterval: Math.min(1000, 250 * limits.seconds),
  }
  return createServer(times, listener)
}

/** Listens; gives the address. Throws CoopError where it cannot be had. */
async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(notListening(cause, host, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' ? (address?.port ?? port) : port
  return `http://${host.includes(':') ? `[${host}]` : host}:${actual}`
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has this port',
  EACCES: 'this port belongs to the system',
  EADDRNOTAVAIL: 'this machine does not have this address',
  ENOTFOUND: 'there is no such host',
}

function notListening(cause: NodeJS.ErrnoException, host: string, port: number): CoopError {
  const reason = WHY[cause.code ?? ''] ?? cause.message
  return new CoopError(`cannot listen on ${host} port ${port}: ${reason}`, 'choose another (--host, --port)', { cause })
}
