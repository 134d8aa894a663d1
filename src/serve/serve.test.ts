import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CoopError, FileError, UsageError } from '../base/errors.ts'
import { loadClip } from '../clip/load.ts'
import { bytesSource } from '../formats/safetensors.ts'
import { modelFilesAt } from '../node/files.ts'
import { openRun } from '../runs/open-run.ts'
import { type ServedWorld, servedWorld } from '../testing/served-world.ts'
import type { OpenRun } from '../trained/classify.ts'
import { readLearned } from '../trained/learned.ts'
import { classifiedSchema } from './answers.ts'
import { type Serving, serveRuns } from './serve.ts'

let world: ServedWorld
let serving: Serving
let direct: OpenRun
beforeAll(async () => {
  world = await servedWorld()
  serving = await serveRuns([{ run: world.coop }, { run: world.tip, name: 'second' }], { port: 0, threads: 1 })
  direct = await openRun(world.coop, { threads: 1 })
})
afterAll(async () => {
  await serving.close()
  await direct.dispose()
  await world.remove()
})

const ask = (path: string, init?: RequestInit) => fetch(`${serving.url}${path}`, init)
const answered = async (response: Response) => {
  expect(response.status).toBe(200)
  return classifiedSchema.parse(await response.json()).results.map(({ labels }) => labels)
}
const form = (...pictures: readonly Uint8Array<ArrayBuffer>[]) => {
  const body = new FormData()
  for (const bytes of pictures) body.append('image', new Blob([bytes]), 'a.png')
  return { method: 'POST', body }
}
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const json = (image: unknown) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ image }),
})

describe('POST /v1/classify', () => {
  it('gives what the run gives, for a form, plain bytes, JSON and data URLs', async () => {
    const bytes = await world.picture('red/3')
    const [expected = []] = await direct.classify([bytes])
    const raw = (type: string) => ({ method: 'POST', headers: { 'Content-Type': type }, body: bytes })
    const dataUrl = `data:image/png;base64,${base64(bytes)}`
    for (const init of [
      form(bytes),
      raw('image/png'),
      raw('application/octet-stream'),
      json(base64(bytes)),
      json([dataUrl]),
    ]) {
      const [labels = []] = await answered(await ask('/v1/classify?run=coop', init))
      expect(labels.map(({ label }) => label)).toEqual(expected.map(({ label }) => label))
      for (const [i, { probability }] of labels.entries())
        expect(probability).toBeCloseTo(expected[i]?.probability ?? 0, 5)
    }
  })

  it('answers several pictures in the order in which they were sent, as many labels as are asked for', async () => {
    const pictures = await Promise.all(['red/1', 'blue/2', 'green/3'].map(world.picture))
    const expected = (await direct.classify(pictures)).map(([best]) => best?.label)
    for (const init of [form(...pictures), json(pictures.map(base64))]) {
      const results = await answered(await ask('/v1/classify?run=coop&top=1', init))
      expect(results.map((labels) => labels.map(({ label }) => label))).toEqual(expected.map((label) => [label]))
    }
    const [all] = await answered(await ask('/v1/classify?run=coop&top=9', form(...pictures)))
    expect(all).toHaveLength(3)
  })

  it('gives each of many requests at once its own answer', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `${['blue', 'green', 'red'][i % 3]}/${i % 10}`)
    const pictures = await Promise.all(names.map(world.picture))
    const expected = await direct.classify(pictures)
    const got = await Promise.all(
      pictures.map(async (bytes) => answered(await ask('/v1/classify?run=coop', form(bytes)))),
    )
    for (const [i, [labels = []]] of got.entries()) {
      for (const { label, probability } of labels) {
        expect(probability).toBeCloseTo(expected[i]?.find((one) => one.label === label)?.probability ?? -1, 5)
      }
    }
    const metrics = await (await ask('/metrics')).text()
    const batches = Number(/^coop_ts_batch_pictures_count\{run="coop"\} (\d+)$/m.exec(metrics)?.[1])
    const pictures40 = Number(/^coop_ts_batch_pictures_sum\{run="coop"\} (\d+)$/m.exec(metrics)?.[1])
    expect(batches).toBeLessThan(pictures40)
  })

  it('names the damaged one of several, and other requests have their answers', async () => {
    const good = await world.picture('red/1')
    const [bad, other] = await Promise.all([
      ask('/v1/classify?run=coop', form(good, new Uint8Array([1, 2, 3]), good)),
      ask('/v1/classify?run=coop', form(good)),
    ])
    expect(bad.status).toBe(422)
    expect(await bad.text()).toMatch(
      /^\{"error":\{"message":"picture 2 \(\\"a.png\\"\) cannot be read as a picture: .*","remedy":/,
    )
    await answered(other)
  })

  it('asks the run that is named, and wants one to be', async () => {
    const bytes = await world.picture('blue/1')
    const probabilities = async (run: string) => {
      const [labels = []] = await answered(await ask(`/v1/classify?run=${run}`, form(bytes)))
      return labels.map(({ probability }) => probability)
    }
    expect(await probabilities('second')).not.toEqual(await probabilities('coop'))
    const unknown = await ask('/v1/classify?run=third', form(bytes))
    expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('the runs are coop, second')])
    const none = await ask('/v1/classify', form(bytes))
    expect([none.status, await none.text()]).toEqual([400, expect.stringContaining('the runs are coop, second')])
  })
})

it('GET /v1/runs and /healthz say what there is', async () => {
  expect(await (await ask('/v1/runs')).json()).toEqual({
    runs: [
      { name: 'coop', method: expect.stringContaining('CoOp'), classes: ['blue', 'green', 'red'] },
      { name: 'second', method: expect.stringContaining('Tip-Adapter'), classes: ['blue', 'green', 'red'] },
    ],
  })
  expect(await (await ask('/healthz')).json()).toEqual({ status: 'ok' })
})

it('a page gets the runs and the files of their model, without their places, and no other file', async () => {
  const { runs } = z
    .object({ runs: z.array(z.object({ name: z.string(), learned: z.string(), model: z.string() })) })
    .parse(await (await ask('/server.json')).json())
  expect(runs.map(({ name }) => name)).toEqual(['coop', 'second'])
  const [run = { learned: '', model: '' }] = runs
  const bytes = new Uint8Array(await (await ask(`/${run.learned}`)).arrayBuffer())
  const saved = await readLearned(bytesSource('learned', bytes))
  expect(saved.model).toEqual({
    name: 'model',
    fingerprint: (await loadClip(await modelFilesAt(world.model))).fingerprint,
  })
  expect(Buffer.from(bytes).includes(world.root)).toBe(false)

  const config = await ask(`/${run.model}open_clip_config.json`)
  expect(await config.text()).toBe(await readFile(join(world.model, 'open_clip_config.json'), 'utf8'))
  for (const file of ['README.md', '..%2Fcoop%2Fsettings.json', '%2e%2e/coop/settings.json', 'nothing.json', '']) {
    expect((await ask(`/${run.model}${file}`)).status, file).toBe(404)
  }
})

it('/openapi.json describes the answers that come', async () => {
  const { openapi, paths, components } = z
    .object({
      openapi: z.literal('3.1.0'),
      paths: z.record(
        z.string(),
        z.record(z.string(), z.object({ responses: z.record(z.string(), z.looseObject({})) })),
      ),
      components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
    })
    .parse(await (await ask('/openapi.json')).json())
  expect(openapi).toBe('3.1.0')
  const schemaOf = (path: string, method: string, status: number) => {
    const reference = JSON.stringify(paths[path]?.[method]?.responses[status]).match(
      /#\/components\/schemas\/(\w+)/,
    )?.[1]
    return z.fromJSONSchema(components.schemas[reference ?? ''] ?? false)
  }
  const bytes = await world.picture('red/1')
  const post = (path: string, init: RequestInit) => ['post', path, init] as const
  const get = (path: string) => ['get', path, {}] as const
  const cases = [
    post('/v1/classify?run=coop&top=2', form(bytes)),
    post('/v1/classify?run=no', form(bytes)),
    post('/v1/classify?run=coop&top=0', form(bytes)),
    post('/v1/classify?run=coop', form(new Uint8Array([1]))),
    post('/v1/classify?run=coop', json({ not: 'text' })),
    post('/v1/classify?run=coop', { method: 'POST', body: 'text' }),
    get('/v1/runs'),
    get('/server.json'),
    get('/healthz'),
  ]
  for (const [method, path, init] of cases) {
    const response = await ask(path, init)
    const answer = await response.json()
    schemaOf(path.split('?')[0] ?? '', method, response.status).parse(answer)
  }
  expect(() => schemaOf('/v1/runs', 'get', 200).parse({ runs: [{ name: 1 }] })).toThrow()
  for (const path of Object.keys(paths)) {
    const at = path.replace('{name}', 'coop').replace('{file}', 'open_clip_config.json')
    expect((await ask(at, { method: 'DELETE' })).status, path).toBe(405)
  }
})

it('GET / shows how to ask, with its runs, where the playground was not built', async () => {
  const page = await ask('/')
  const policy = page.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("connect-src 'self';")
  expect(policy).not.toMatch(/unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')|\*(?!\.)/)
  expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp')
  expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin')
  expect(await page.text()).toMatch(/<html/)
})

it('refuses what cannot be served, before it listens', async () => {
  const port = Number(new URL(serving.url).port)
  const refusal = (...given: Parameters<typeof serveRuns>) => serveRuns(...given).then(() => 'serves')
  await expect(refusal([{ run: world.photos }])).rejects.toThrow(FileError)
  await expect(refusal([{ run: world.coop }, { run: world.coop }])).rejects.toThrow(/two runs have the name coop/)
  await expect(refusal([{ run: world.coop, name: 'a/b' }])).rejects.toThrow(UsageError)
  await expect(refusal([], { port })).rejects.toThrow(/another program has this port/)
  await expect(refusal([], { limits: { pictures: 9, queue: 8 } })).rejects.toThrow(/queue/)
  await expect(refusal([], { token: 'two words' })).rejects.toThrow(CoopError)
  await expect(refusal([], { origins: ['example.org'] })).rejects.toThrow(/not an origin/)
})
