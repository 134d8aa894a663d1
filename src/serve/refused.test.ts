import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServedWorld, sayRaw, servedWorld } from '../testing/served-world.ts'
import { refusedSchema } from './answers.ts'
import type { LogLine } from './logs.ts'
import { type Serving, serveRuns } from './serve.ts'

const LIMITS = { bodyBytes: 300_000, pixels: 1_000_000, pictures: 8, queue: 16, seconds: 1.5 }
const TOKEN = 'k0.l1_m2~n3+o4/p5-q6='

let world: ServedWorld
let serving: Serving
let guarded: Serving
let png: Uint8Array<ArrayBuffer>
const lines: LogLine[] = []
beforeAll(async () => {
  world = await servedWorld()
  const given = { port: 0, threads: 1, limits: LIMITS }
  serving = await serveRuns([{ run: world.coop }], { ...given, log: (line) => lines.push(line) })
  guarded = await serveRuns([{ run: world.coop }], { ...given, token: TOKEN, origins: ['https://a.example'] })
  png = await world.picture('red/1')
})
afterAll(async () => {
  await Promise.all([serving.close(), guarded.close()])
  await world.remove()
})

const classify = (type: string, body: RequestInit['body'], query = '') =>
  fetch(`${serving.url}/v1/classify${query}`, { method: 'POST', headers: { 'Content-Type': type }, body })

/** Status and words of a refusal, which has the one form and names nothing of this machine. */
async function refusal(response: Response): Promise<[number, string]> {
  const text = await response.text()
  expect(text).not.toContain(world.root)
  const { error } = refusedSchema.parse(JSON.parse(text))
  return [response.status, error.message]
}

/** The server goes on. */
const goesOn = async () => expect((await classify('image/png', png)).status).toBe(200)

const BOUNDARY = 'xyz'
const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`
const part = (head: string, content = 'x') =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`

/** A picture of one colour, mostly header. */
function emptyPng(width: number, height: number): Uint8Array<ArrayBuffer> {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    crc.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, crc])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, 0], 8)
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])
  const data = chunk('IDAT', deflateSync(Buffer.alloc(1000)))
  return new Uint8Array(Buffer.concat([magic, chunk('IHDR', header), data, chunk('IEND', Buffer.alloc(0))]))
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

describe('what is refused', () => {
  const cases: readonly (readonly [what: string, status: number, message: RegExp, ask: () => Promise<Response>])[] = [
    ['not a picture', 422, /^the picture cannot be read/, () => classify('image/png', 'hello')],
    ['a truncated picture', 422, /only part of it/, () => classify('image/png', png.slice(0, png.length - 60))],
    [
      'a drawing',
      422,
      /kind/,
      () => classify('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ],
    [
      '100 megapixels',
      413,
      /^the picture .* 10000 x 10000 pixels/,
      () => classify('image/png', emptyPng(10_000, 10_000)),
    ],
    ['a gigapixel', 413, /pixels/, () => classify('image/png', emptyPng(40_000, 40_000))],
    ['an empty body', 400, /empty/, () => classify('image/png', '')],
    ['no type', 415, /type/, () => fetch(`${serving.url}/v1/classify`, { method: 'POST', body: png })],
    ['another type', 415, /"text\/html"/, () => classify('text/html', '<p>')],
    ['a form of another kind', 415, /urlencoded/, () => classify('application/x-www-form-urlencoded', 'image=x')],
    ['a large body', 413, /300000 bytes/, () => classify('image/png', new Uint8Array(300_001))],
    ['no JSON', 400, /not valid JSON/, () => classify('application/json', '{"image": ')],
    [
      'JSON that is no UTF-8',
      400,
      /not valid JSON/,
      () => classify('application/json', new Uint8Array([0x22, 0xff, 0x22])),
    ],
    ['other JSON', 400, /not \{"image"/, () => classify('application/json', '{"picture": "aaaa"}')],
    ['another word beside', 400, /not \{"image"/, () => classify('application/json', '{"image": "aaaa", "top": "1"}')],
    ['no base64', 400, /^the picture is not base64/, () => classify('application/json', '{"image": "a b c !"}')],
    [
      'the second is no base64',
      400,
      /^picture 2 is not/,
      () => classify('application/json', '{"image": ["aaaa", "?"]}'),
    ],
    ['a URL', 400, /not base64/, () => classify('application/json', '{"image": "http://127.0.0.1/x.png"}')],
    ['an empty list', 400, /no picture/, () => classify('application/json', '{"image": []}')],
    [
      'many pictures in JSON',
      413,
      /more than 8 pictures/,
      () => classify('application/json', `{"image": [${'"aaaa",'.repeat(9)}"aaaa"]}`),
    ],
    ['deep JSON', 400, /not \{"image"/, () => classify('application/json', '['.repeat(290_000))],
    [
      'a form that ends early',
      400,
      /form cannot be read/,
      () => classify(MULTIPART, part('name="image"; filename="a.png"')),
    ],
    ['a form without a boundary', 400, /form cannot be read/, () => classify('multipart/form-data', 'x')],
    ['a form of no parts', 400, /no picture/, () => classify(MULTIPART, `--${BOUNDARY}--\r\n`)],
    ['a form of nothing', 400, /form|no picture/, () => classify(MULTIPART, '')],
    [
      'text in place of a file',
      400,
      /has text/,
      () => classify(MULTIPART, `${part('name="image"')}--${BOUNDARY}--\r\n`),
    ],
    [
      'a file in another field',
      400,
      /"photo"/,
      () => classify(MULTIPART, `${part('name="photo"; filename="a"')}--${BOUNDARY}--\r\n`),
    ],
    [
      'a file in no field',
      400,
      /a file has no field/,
      () => classify(MULTIPART, `${part('filename="a"')}--${BOUNDARY}--\r\n`),
    ],
    [
      'nine files',
      413,
      /more than 8 pictures/,
      () => classify(MULTIPART, `${part('name="image"; filename="a"').repeat(9)}--${BOUNDARY}--\r\n`),
    ],
    ['thousands of parts', 413, /more than 8 p/, () => classify(MULTIPART, part('name="a"').repeat(4000))],
    [
      'an encoding',
      415,
      /encoding "gzip"/,
      () =>
        fetch(`${serving.url}/v1/classify`, {
          method: 'POST',
          headers: { 'Content-Type': 'image/png', 'Content-Encoding': 'gzip' },
          body: png,
        }),
    ],
    ['top=0', 400, /top in the query/, () => classify('image/png', png, '?top=0')],
    ['top=a', 400, /top in the query/, () => classify('image/png', png, '?top=1.5')],
    ['another word in the query', 400, /"tpo"/, () => classify('image/png', png, '?tpo=1')],
    ['an unknown run', 404, /no run "x"/, () => classify('image/png', png, '?run=x')],
    ['another method', 405, /GET/, () => fetch(`${serving.url}/v1/classify`)],
    ['another address', 404, /nothing at this address/, () => fetch(`${serving.url}/v2`)],
    ['a path out of the site', 404, /nothing at this address/, () => fetch(`${serving.url}/..%2f..%2fpackage.json`)],
  ]
  it.each(cases)('%s', async (_what, status, message, ask) => {
    const before = performance.now()
    const response = await ask()
    const [got, words] = await refusal(response)
    expect([got, words]).toEqual([status, expect.stringMatching(message)])
    if (status === 405) expect(response.headers.get('allow')).toBe('POST')
    expect(performance.now() - before).toBeLessThan(5000)
    await goesOn()
  })

  it('a body that grows too large without saying so, as soon as it does', async () => {
    const piece = `1000\r\n${'x'.repeat(4096)}\r\n`
    const head =
      'POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(await sayRaw(serving.url, head + piece.repeat(200))).toMatch(
      /^HTTP\/1.1 413 [\s\S]*larger than 300000 bytes/,
    )
    await goesOn()
  })

  it('pictures that the queue has no room for, with when to come back, and then it has room', async () => {
    const form = () => {
      const body = new FormData()
      for (let i = 0; i < 8; i++) body.append('image', new Blob([png]), 'a.png')
      return fetch(`${serving.url}/v1/classify`, { method: 'POST', body })
    }
    const answers = await Promise.all(Array.from({ length: 40 }, form))
    const full = answers.filter(({ status }) => status === 429)
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true)
    expect(full.length).toBeGreaterThan(0)
    expect(full.length).toBeLessThan(40)
    expect(Number(full[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
    for (const answer of full) expect((await refusal(answer))[1]).toMatch(/are waiting/)
    await goesOn()
  })
})

describe('slow and broken clients', () => {
  const head = 'POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 100\r\n'

  it('who sends no more of the head, or of the body, is told so and cut off', async () => {
    const [slowHead, slowBody, slowForm] = await Promise.all([
      sayRaw(serving.url, head),
      sayRaw(serving.url, `${head}\r\nabc`),
      sayRaw(serving.url, `${head.replace('image/png', MULTIPART)}\r\n--xyz`),
      goesOn(),
    ])
    for (const said of [slowHead, slowBody, slowForm]) {
      expect(said).toMatch(/^HTTP\/1.1 408 /)
      expect(refusedSchema.parse(JSON.parse(said.split('\r\n\r\n')[1] ?? '')).error.message).toMatch(/in time/)
    }
  }, 20_000)

  it('what is no HTTP, headers without end, and a request without a host', async () => {
    expect(await sayRaw(serving.url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*\{"error"/)
    expect(await sayRaw(serving.url, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 [\s\S]*\{"error"/,
    )
    expect(await sayRaw(serving.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.[01] (200|403)/)
    await goesOn()
  })

  it('who leaves is written down, and what it sent is forgotten', async () => {
    const stop = new AbortController()
    const left = fetch(`${serving.url}/v1/classify`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png' },
      body: new ReadableStream({ start: (controller) => controller.enqueue(png.slice(0, 20)) }),
      duplex: 'half',
      signal: stop.signal,
    }).catch(() => 'left')
    setTimeout(() => stop.abort(), 100)
    expect(await left).toBe('left')
    await expect.poll(() => lines.some(({ status }) => status === 499)).toBe(true)
    const metrics = await (await fetch(`${serving.url}/metrics`)).text()
    expect(metrics).toContain('coop_ts_queue_pictures{run="coop"} 0')
    await goesOn()
  })
})

it('whatever is asked, an answer comes that names no folder of this machine', async () => {
  const types = fc.constantFrom(
    'image/png',
    'application/json',
    MULTIPART,
    'text/plain',
    'application/octet-stream',
    '',
  )
  const words = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"image"',
    ':',
    ',',
    '"aaaa"',
    '"data:;base64,AAAA"',
    '--xyz',
    '\r\n',
    part('name="image"; filename="a"'),
    '--',
    'null',
    '\0',
  )
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(words, { maxLength: 12 }).map((all) => Buffer.from(all.join(''))),
  )
  const paths = fc.constantFrom(
    '/v1/classify',
    '/v1/classify?top=1',
    '/v1/runs/coop/model/x',
    '/v1/runs/x/learned.safetensors',
    '/%00',
    '/a//b',
    '/v1/classify?run=%E0',
  )
  const methods = fc.constantFrom('POST', 'POST', 'POST', 'PUT', 'GET', 'OPTIONS')
  await fc.assert(
    fc.asyncProperty(types, bodies, paths, methods, async (type, body, path, method) => {
      const response = await fetch(`${serving.url}${path}`, {
        method,
        headers: type === '' ? {} : { 'Content-Type': type },
        body: method === 'GET' ? undefined : new Uint8Array(body),
      })
      const text = await response.text()
      expect(response.status).not.toBe(500)
      expect(text).not.toContain(world.root)
      if (response.status >= 400) refusedSchema.parse(JSON.parse(text))
    }),
    { numRuns: 150 },
  )
  await goesOn()
})

describe('who may ask', () => {
  const withToken = (token?: string, path = '/v1/runs') =>
    fetch(`${guarded.url}${path}`, { headers: token === undefined ? {} : { Authorization: token } })

  it('only who has the token, of what tells of the runs', async () => {
    expect((await withToken(`Bearer ${TOKEN}`)).status).toBe(200)
    for (const wrong of [
      undefined,
      'Bearer',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      'Bearer é',
    ]) {
      for (const path of ['/v1/runs', '/metrics', '/server.json', '/v1/runs/coop/learned.safetensors']) {
        const response = await withToken(wrong, path)
        expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
        const [status, message] = await refusal(response)
        expect(status).toBe(401)
        expect(message).not.toContain(TOKEN)
      }
    }
    const body = new Uint8Array(png)
    const refused = await fetch(`${guarded.url}/v1/classify`, {
      method: 'POST',
      headers: { 'Content-Type': 'image/png' },
      body,
    })
    expect(refused.status).toBe(401)
    expect((await withToken(undefined, '/healthz')).status).toBe(200)
    expect(JSON.stringify(lines)).not.toContain(TOKEN)
  })

  it('nobody by another name than that of this machine (DNS rebinding)', async () => {
    const say = (host: string) =>
      sayRaw(serving.url, `GET /v1/runs HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    for (const host of ['localhost', 'LOCALHOST:1234', '127.0.0.1', '[::1]:80'])
      expect(await say(host)).toMatch(/^HTTP\/1.1 200/)
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', '10.0.0.1', '[::2]']) {
      expect(await say(host), host).toMatch(/^HTTP\/1.1 403 [\s\S]*\{"error"/)
    }
  })

  it('pages of other origins only where that was asked for', async () => {
    const from = async (url: string, origin: string) => {
      const preflight = { method: 'OPTIONS', headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' } }
      const asked = await fetch(`${url}/v1/classify`, preflight)
      const got = await fetch(`${url}/healthz`, { headers: { Origin: origin } })
      return [asked, got].map(({ headers }) => headers.get('access-control-allow-origin'))
    }
    expect(await from(serving.url, 'https://a.example')).toEqual([null, null])
    expect(await from(guarded.url, 'https://a.example')).toEqual(['https://a.example', 'https://a.example'])
    expect(await from(guarded.url, 'https://b.example')).toEqual([null, null])
  })
})

it('the log has a line for each request, without its body and query', async () => {
  await fetch(`${serving.url}/healthz?secret=1`)
  await expect
    .poll(() => lines.at(-1))
    .toMatchObject({ event: 'request', method: 'GET', path: '/healthz', status: 200 })
  await goesOn()
  await expect.poll(() => lines.at(-1)).toMatchObject({ method: 'POST', path: '/v1/classify', pictures: 1 })
  expect(JSON.stringify(lines)).not.toContain('secret')
})
