import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { z } from 'zod'
import type { Classified } from './answers.ts'
import type { Batcher } from './batcher.ts'
import { readPictures } from './body.ts'
import { checkHost, tokenCheck } from './guard.ts'
import { bodyRoom, type Limits } from './limits.ts'
import type { Log } from './logs.ts'
import type { ServerMetrics } from './metrics.ts'
import { openApi } from './openapi.ts'
import { comeBack, quoted, Refusal } from './refusal.ts'
import type { ServedRun } from './served-runs.ts'
import { addRunFiles, addSite, pageRuns } from './site.ts'

/** A run and the queue before it. */
export interface QueuedRun extends ServedRun {
  readonly queue: Batcher
}

export interface RouteOptions {
  readonly runs: readonly QueuedRun[]
  readonly limits: Limits
  readonly metrics: ServerMetrics
  readonly log: Log
  readonly version: string
  /** Address that the server listens on. */
  readonly host: string
  readonly token?: string
  readonly origins: readonly string[]
  /** Folder of the built playground. */
  readonly site: string
  stopping(): boolean
  /** Told how many pictures a request had. */
  onPictures(outgoing: HttpBindings['outgoing'], pictures: number): void
}

/** What answers have that say nothing else. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const

/** Addresses that a bearer token guards: all that tells of the runs, or uses them. */
const GUARDED = ['/v1/*', '/metrics', '/server.json']

/** The answers of the server, address by address. */
export function routes(options: RouteOptions): Hono<{ Bindings: HttpBindings }> {
  const { runs, limits, metrics, log, version, host, token, origins, site, stopping } = options
  const app = new Hono<{ Bindings: HttpBindings }>()
  const room = bodyRoom(limits)

  app.use(async (c, next) => {
    await next()
    const { headers } = c.res
    for (const [key, value] of Object.entries(HEADERS)) if (!headers.has(key)) headers.set(key, value)
    if (stopping()) headers.set('Connection', 'close')
  })
  app.use(async (c, next) => {
    checkHost(c.req.header('host'), host)
    await next()
  })
  if (origins.length > 0) {
    const origin = origins.includes('*') ? '*' : [...origins]
    app.use(cors({ origin, allowMethods: ['GET', 'POST'], allowHeaders: ['Authorization', 'Content-Type'] }))
  }
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const message = `${c.req.method} is not a method of this address`
        return refused(c, new Refusal(405, message, `it has ${methods.join(', ')}`, { Allow: methods.join(', ') }))
      },
    }),
  )
  if (token !== undefined) {
    const check = tokenCheck(token)
    for (const path of GUARDED) {
      app.use(path, async (c, next) => {
        check(c.req.header('authorization'))
        await next()
      })
    }
  }

  app.post('/v1/classify', async (c) => {
    const { run: word, top } = readQuery(c.req.queries())
    const run = chosenRun(runs, word)
    const { incoming, outgoing } = c.env
    const share = room.enter()
    const stop = new AbortController()
    const onClose = () => stop.abort(new Refusal(400, 'the client left'))
    outgoing.once('close', onClose)
    try {
      const pictures = await inTime(stop, limits.seconds, new Refusal(408, 'the request did not come in time'), () =>
        readPictures(incoming, { ...limits, room: share, signal: stop.signal }),
      )
      metrics.received(pictures.reduce((sum, { bytes }) => sum + bytes.length, 0))
      options.onPictures(outgoing, pictures.length)
      const labels = await inTime(stop, limits.seconds, comeBack(503, 'there was no answer in time'), () =>
        run.queue.classify(pictures, stop.signal),
      )
      metrics.classified(run.name, pictures.length)
      const answer: Classified = {
        results: labels.map((all) => {
          const { label, set } = run.open.decide(all)
          return { labels: all.slice(0, top), none: label === null ? true : undefined, set: set && [...set] }
        }),
      }
      return c.json(answer)
    } finally {
      outgoing.off('close', onClose)
      share.leave()
    }
  })
  app.get('/v1/runs', (c) =>
    c.json({ runs: runs.map(({ name, method, open }) => ({ name, method, classes: open.classNames })) }),
  )
  app.get('/server.json', (c) => c.json(pageRuns(runs)))
  app.get('/openapi.json', (c) => c.json(openApi(version, token !== undefined)))
  app.get('/healthz', (c) => (stopping() ? c.json({ status: 'stopping' }, 503) : c.json({ status: 'ok' })))
  app.get('/metrics', (c) =>
    c.body(metrics.text(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  addRunFiles(app, runs)
  addSite(app, site, runs)

  app.notFound((c) => refused(c, new Refusal(404, 'there is nothing at this address', 'GET /openapi.json lists them')))
  app.onError((error, c) => refused(c, asRefusal(error, log)))
  return app
}

const refused = (c: Context, { status, answer, headers }: Refusal) => c.json(answer, status, headers)

/** What a client is told of an error; what it is not told goes into the log. */
export function asRefusal(error: unknown, log: Log): Refusal {
  if (error instanceof Refusal) return error
  log({ event: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  return new Refusal(500, 'something went wrong inside the server', 'its log says what')
}

const querySchema = z.strictObject({
  run: z.tuple([z.string()]).optional(),
  top: z.tuple([z.string().regex(/^[1-9]\d{0,5}$/)]).optional(),
})

/** What the query of a request to classify says. Throws Refusal (400) for words that it does not have. */
function readQuery(queries: Readonly<Record<string, readonly string[]>>): { run?: string; top?: number } {
  const { data, error } = querySchema.safeParse(queries)
  if (data !== undefined) return { run: data.run?.[0], top: data.top && Number(data.top[0]) }
  const { path, code, ...issue } = error.issues[0] ?? { path: [], code: '' }
  const unknown = code === 'unrecognized_keys' && 'keys' in issue ? String(issue.keys) : undefined
  const what =
    unknown === undefined ? `${String(path[0])} in the query is not what it can be` : `the query has ${quoted(unknown)}`
  throw new Refusal(400, what, 'it may have run=NAME, and top=K with a whole number from 1 up, each once')
}

/** Throws Refusal (404) for a run that is not served, (400) where there are several and none is named. */
function chosenRun(runs: readonly QueuedRun[], word: string | undefined): QueuedRun {
  const [first] = runs
  if (first === undefined) throw new Refusal(404, 'no run is served', 'start the server with --run RUN')
  const names = `the runs are ${runs.map(({ name }) => name).join(', ')}`
  if (word === undefined && runs.length > 1)
    throw new Refusal(400, 'the query does not say which run', `add ?run=NAME: ${names}`)
  const run = word === undefined ? first : runs.find(({ name }) => name === word)
  if (run === undefined) throw new Refusal(404, `there is no run ${quoted(word ?? '')}`, names)
  return run
}

/** Waits for work; after so many seconds `stop` is aborted by the refusal, with which the work then fails. */
async function inTime<T>(stop: AbortController, seconds: number, late: Refusal, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => stop.abort(late), 1000 * seconds)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}
