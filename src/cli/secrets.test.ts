import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { classMean } from '../methods/class-mean/index.ts'
import { defineMethod } from '../methods/method.ts'
import { sweep } from '../runs/sweep/sweep.ts'
import { coop } from '../testing/coop.ts'
import { coopProcess } from '../testing/coop-process.ts'
import { type HubServer, hubOf, refuse } from '../testing/hub-server.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

const TOKEN = 'hf_SecretSecretSecret'
const PASSWORD = 'pa55-of-somebody'

let world: TinyWorld
let server: HubServer
beforeAll(async () => {
  world = await tinyWorld()
  server = await hubOf(world.model)
})
afterAll(async () => {
  await server.close()
  await world.remove()
})
beforeEach(() => {
  vi.stubEnv('HF_ENDPOINT', server.endpoint)
  vi.stubEnv('HF_HOME', at('hf'))
  vi.stubEnv('HF_TOKEN', TOKEN)
  vi.stubEnv('COOP_TS_QUEUE', `redis://me:${PASSWORD}@127.0.0.1:1/0`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  server.intercept = () => false
})

const at = (name: string) => join(world.root, name)
const zeroShot = () => ['zero-shot', world.photos, '--model', 'owner/tiny', '--threads', '1', '--cache', at('cache')]
const redirects = (to: string) => (response: ServerResponse) => response.writeHead(302, { location: to }).end()

it.each<[string, RegExp, (response: ServerResponse) => unknown]>([
  [
    'repeats the token',
    /\(no \*\*\* for you\)/,
    (response) => refuse(response, 403, 'GatedRepo', `no ${TOKEN} for you`),
  ],
  ['rejects the token', /rejects the token/, (response) => refuse(response, 401)],
  ['sends to an address with a password', /named with a password/, redirects(`http://me:${PASSWORD}@localhost/`)],
  ['sends to a strange address', /redirects to ftp:/, redirects(`ftp://me:${PASSWORD}@localhost/`)],
  ['sends to no address', /redirects to what is no address/, redirects(`http://me:${PASSWORD}@`)],
  ['is none', /gives no commit and hash/, (response) => response.end(TOKEN)],
  ['ends the connection', /the connection was closed/, (response) => response.destroy()],
])('a hub that %s brings no secret to light', async (_, message, answer) => {
  server.intercept = (_, response) => {
    answer(response)
    return true
  }
  const { status, stdout, stderr } = await coop(...zeroShot(), '--json', '--verbose')
  expect(status).toBe(1)
  expect(stderr).toMatch(message)
  expect(stdout + stderr).not.toMatch(new RegExp(`${TOKEN}|${PASSWORD}`))
})

it.each([
  ['a hub', `http://me:${PASSWORD}@127.0.0.1:1`, /HF_ENDPOINT has a user name or password in it/],
  ['no hub', `redis://me:${PASSWORD}@127.0.0.1:1`, /HF_ENDPOINT is not a URL: "redis:\/\/\*\*\*@127/],
])('a password in the address of %s is not shown', async (_, endpoint, message) => {
  vi.stubEnv('HF_ENDPOINT', endpoint)
  const { status, stdout, stderr } = await coop(...zeroShot(), '--verbose')
  expect(status).toBe(2)
  expect(stderr).toMatch(message)
  expect(stdout + stderr).not.toContain(PASSWORD)
})

it('words that are refused are shown without their secrets', async () => {
  const words = [`redis://me:other-password@host`, `--token=${TOKEN}`]
  for (const word of words) {
    const { stdout, stderr } = await coop('evaluate', word, world.photos, '--json')
    expect(stdout + stderr).not.toMatch(new RegExp(`other-password|${TOKEN}`))
  }
})

it('a run of a private model keeps no secret, in its folder or the caches', async () => {
  const train = ['train', world.photos, '--model', 'owner/tiny', '--method', 'coop', '--shots', '1', '--epochs', '1']
  const [run, cache] = [at('run'), at(`cache-${TOKEN}`)]
  const words = [...train, '--context-length', '2', '--threads', '1', '--out', run, '--verbose', '--cache', cache]
  const { status, stdout, stderr } = await coopProcess(words)
  expect(status).toBe(0)
  expect(server.seen.some(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true)
  const record = JSON.parse(await readFile(join(run, 'results.json'), 'utf8'))
  expect(record.environment.command.at(-1)).toMatch(/cache-\$HF_TOKEN$/)
  for (const kept of [run, cache, at('hf')]) {
    const entries = await readdir(kept, { recursive: true, withFileTypes: true })
    for (const entry of entries.filter((one) => one.isFile()))
      expect((await readFile(join(entry.parentPath, entry.name))).includes(TOKEN), entry.name).toBe(false)
  }
  expect(stdout + stderr).not.toMatch(new RegExp(`${TOKEN}|${PASSWORD}`))
})

it('a run that fails keeps its error without secrets', async () => {
  const failing = defineMethod({
    ...classMean,
    name: 'failing',
    learn: () => Promise.reject(new Error(`no redis://me:other-password@host for ${TOKEN}`)),
  })
  const plan = ['datasets: photos', 'models: model', 'methods: [failing]', 'shots: 1', 'seeds: 1']
  await writeFile(at('plan.yaml'), plan.join('\n'))
  const settings = { out: at('sweep'), cache: at('cache'), threads: 1, methods: [failing] }
  const { failed } = await sweep(at('plan.yaml'), settings, {})
  const told = await readFile(join(at('sweep/runs'), failed[0]?.id ?? '', 'error.json'), 'utf8')
  expect(JSON.parse(told).message).toBe('no redis://***@host for $HF_TOKEN')
  expect(told + JSON.stringify(failed)).not.toMatch(new RegExp(`other-password|${TOKEN}`))
})
