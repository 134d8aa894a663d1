import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Log } from './logs.ts'
import type { ServerMetrics } from './metrics.ts'
import { Refusal } from './refusal.ts'

/** What the log and the metrics have as the status of a request whose client left (nginx writes it so). */
const CLIENT_LEFT = 499

/** Addresses as the metrics have them: few, whatever clients ask for. */
const ROUTES = ['/v1/classify', '/v1/runs', '/openapi.json', '/server.json', '/healthz', '/metrics', '/']

function routeOf(path: string): string {
  if (ROUTES.includes(path)) return path
  return path.startsWith('/v1/runs/') ? '/v1/runs/*' : 'other'
}

/** Writes every request down, in the metrics and as a line of the log, when its answer is through. */
export function watcher(metrics: ServerMetrics, log: Log) {
  const pictures = new WeakMap<object, number>()
  return {
    /** Told how many pictures a request had. */
    onPictures: (outgoing: object, count: number) => pictures.set(outgoing, count),

    onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
      const started = performance.now()
      metrics.begin()
      outgoing.once('close', () => {
        const took = performance.now() - started
        // the query may have what nobody should read
        const path = (incoming.url ?? '').split('?', 1)[0] ?? ''
        const status = outgoing.writableFinished ? outgoing.statusCode : CLIENT_LEFT
        metrics.end(routeOf(path), status, took / 1000)
        log({
          event: 'request',
          method: incoming.method,
          path: path.slice(0, 200),
          status,
          ms: Math.round(10 * took) / 10,
          pictures: pictures.get(outgoing),
        })
      })
    },

    /** Answers what Node cannot read as a request, or what does not come in time. */
    onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
      if (!socket.writable || error.code === 'ECONNRESET') {
        socket.destroy()
        return
      }
      const refusal = refusalOf(error.code)
      const { status, message } = refusal
      metrics.begin()
      metrics.end('unread', status, 0)
      log({ event: 'request', status, message })
      socket.end(rawAnswer(refusal), () => socket.destroy())
    },
  }
}

function refusalOf(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Refusal(408, 'the request did not come in time')
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal(431, 'the headers of the request are too large')
  return new Refusal(400, 'this is not a request of HTTP/1.1')
}

function rawAnswer({ status, answer }: Refusal): string {
  const body = JSON.stringify(answer)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
