import { connect } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import { CoopError } from '../../src/base/errors.ts'
import { checkedOrigin, checkedToken } from '../../src/serve/guard.ts'
import type { LogLine } from '../../src/serve/logs.ts'
import { type Serving, serveRuns } from '../../src/serve/serve.ts'
import { pattern } from '../../src/testing/pattern.ts'
import { savedModel, savedWeights } from './import-readers.ts'
import type { Shell } from './mutate.ts'
import { decode, encode, json, type Reader, textReader } from './reader.ts'

const TOKEN = 'fuzz-token'
const BOUNDARY = '----form'

interface Server {
  readonly serving: Serving
  /** What went wrong inside it, which its clients are not told. */
  readonly errors: LogLine[]
}
/** One for all requests of a process. */
let server: Promise<Server> | undefined

async function started(scratch: string): Promise<Server> {
  const model = join(scratch, 'model')
  await savedModel(model)
  const run = join(scratch, 'run')
  await savedWeights(run, model, scratch)
  const errors: LogLine[] = []
  const serving = await serveRuns([{ run }, { run, name: 'other' }], {
    port: 0,
    threads: 1,
    token: TOKEN,
    origins: ['https://example.org'],
    limits: { bodyBytes: 1 << 18, pixels: 1 << 20, pictures: 4, queue: 8, seconds: 2 },
    log: (line) => void (line.event === 'error' && errors.push(line)),
  })
  return { serving, errors }
}

/** Milliseconds in which an answer begins, and then goes on; who waits for more of a request than there is gives none. */
const [FIRST, NEXT] = [300, 30]

/** Sends it as it stands; all that comes back. */
function ask({ serving: { url } }: Server, bytes: Uint8Array, patience = FIRST): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname })
  const parts: Buffer[] = []
  return new Promise((resolve) => {
    let hangUp = setTimeout(() => socket.destroy(), patience)
    socket.on('error', () => undefined)
    socket.on('data', (part) => {
      parts.push(part)
      clearTimeout(hangUp)
      hangUp = setTimeout(() => socket.destroy(), NEXT)
    })
    socket.on('close', () => {
      clearTimeout(hangUp)
      resolve(Buffer.concat(parts).toString())
    })
    socket.write(bytes)
  })
}

const request = (line: string, headers: Readonly<Record<string, string | number>>, body: Uint8Array | string = '') => {
  const bytes = typeof body === 'string' ? encode(body) : body
  const all = { host: 'localhost', authorization: `Bearer ${TOKEN}`, connection: 'close', ...headers }
  const length = bytes.length > 0 ? { 'content-length': bytes.length } : {}
  const lines = Object.entries({ ...all, ...length }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([encode(`${line} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes])
}

/** The body of a request, the length in its header set anew. */
const body: Shell = {
  open(whole) {
    const at = Buffer.from(whole).indexOf('\r\n\r\n')
    return at < 0 ? undefined : whole.slice(at + 4)
  },
  close(whole, inner) {
    const head = decode(whole.subarray(0, Buffer.from(whole).indexOf('\r\n\r\n') + 4))
    return Buffer.concat([encode(head.replace(/^content-length: \d+/m, `content-length: ${inner.length}`)), inner])
  },
}

const HTTP = [
  'transfer-encoding: chunked\r\n',
  'content-encoding: gzip\r\n',
  'content-length: 5\r\n',
  'expect: 100-continue\r\n',
  'content-type: multipart/form-data\r\n',
  'content-type: image/png\r\n',
  'host: elsewhere\r\n',
  'origin: https://example.org\r\n',
  'upgrade: websocket\r\n',
  'OPTIONS',
  'CONNECT',
  'PUT',
  '%00',
  '%',
  '..%2f..%2f',
  '/v1/classify',
  '?top=5',
  '&run=other',
  'boundary=',
  `--${BOUNDARY}--\r\n`,
  'name="image"',
  "filename*=utf-8''%ff",
]

const requests = (name: string, seeds: () => Promise<readonly Uint8Array[]> | readonly Uint8Array[]): Reader => ({
  name,
  text: true,
  words: HTTP,
  shell: body,
  async prepare(scratch) {
    server ??= started(scratch)
    const own = await server
    const { serving, errors } = own
    const all = await seeds()
    for (const each of all) await ask(own, each, 10_000) // the first of all takes its time
    return {
      seeds: all,
      async read(input) {
        const answer = await ask(own, input)
        const [wrong] = errors.splice(0)
        if (wrong !== undefined) throw new Error(String(wrong.message))
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)
        if (status >= 500 && status !== 503) throw new Error(answer)
        if (status === 0 || status >= 400) throw new CoopError(answer)
      },
      async close() {
        server = undefined
        await serving.close({ graceSeconds: 0 })
      },
    }
  },
})

async function picture(): Promise<Buffer> {
  const { width, height, data } = pattern(16, 12)
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

function form(parts: readonly (readonly [head: string, content: Uint8Array])[]): Buffer {
  const written = parts.flatMap(([head, content]) => [
    encode(`--${BOUNDARY}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`),
    content,
    encode('\r\n'),
  ])
  return Buffer.concat([...written, encode(`--${BOUNDARY}--\r\n`)])
}

const CLASSIFY = 'POST /v1/classify?run=run&top=2'
const multipart = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
const png = 'name="image"; filename="a.png"\r\ncontent-type: image/png'

export const serveReaders: readonly Reader[] = [
  requests('request with a form', async () => {
    const file = await picture()
    return [
      request(CLASSIFY, multipart, form([[png, file]])),
      request(
        CLASSIFY,
        multipart,
        form([
          [png, file],
          ['name="note"', encode('x')],
          [png, file],
        ]),
      ),
    ]
  }),
  requests('request with JSON', async () => {
    const image = (await picture()).toString('base64')
    const type = { 'content-type': 'application/json' }
    return [
      request(CLASSIFY, type, json({ image })),
      request(CLASSIFY, type, json({ image: [`data:image/png;base64,${image}`, image] })),
    ]
  }),
  requests('request with a picture', async () => [
    request(CLASSIFY, { 'content-type': 'image/png' }, await picture()),
    request('POST /v1/classify?run=other', { 'content-type': 'application/octet-stream' }, await picture()),
  ]),
  requests('request without a body', () =>
    [
      '/v1/runs',
      '/server.json',
      '/metrics',
      '/openapi.json',
      '/healthz',
      '/',
      '/v1/runs/run/learned.safetensors',
      '/v1/runs/run/model/open_clip_config.json',
      '/samples/index.json',
    ].map((path) => request(`GET ${path}`, { origin: 'https://example.org' })),
  ),
  textReader('token and origin of a server', ['0f3a-b_c.~+/==', 'https://example.org:8443', '*'], (given) => {
    try {
      checkedToken(given, 'token.txt')
    } catch (cause) {
      if (!(cause instanceof CoopError)) throw cause
      checkedOrigin(given)
    }
  }),
]
