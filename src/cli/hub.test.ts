import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { readSavedRun } from '../runs/saved-run.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { etagOf, type HubFile, type HubServer, hubOf } from '../testing/hub-server.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const WEIGHTS = 'open_clip_model.safetensors'

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
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HUB_OFFLINE', 'HF_TOKEN']) vi.stubEnv(name, '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.intercept = () => false
  server.seen.length = 0
})

const at = (name: string) => join(world.root, name)
const repoFolder = () => at('hf/hub/models--owner--tiny')
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const zeroShot = (model: string) => ['zero-shot', world.photos, '--model', model, ...common()]
const weights = (): HubFile => server.files.get(WEIGHTS) ?? { content: Buffer.alloc(0) }

it('a model of the hub is fetched, shown, and used like its folder', async () => {
  const ended = await coop(...zeroShot('owner/tiny'))
  const ofFolder = Object(onlyJson(await coop(...zeroShot(world.model))))
  expect(onlyJson(ended)).toEqual({ ...ofFolder, model: 'owner/tiny' })
  expect(ended.stderr).toMatch(/downloading \[=+\] \d.* of \d.*open_clip_model.safetensors/)
  vi.stubEnv('HF_HUB_OFFLINE', '1')
  server.seen.length = 0
  const again = await coop(...zeroShot('hf-hub:owner/tiny'))
  expect(onlyJson(again)).toEqual({ ...ofFolder, model: 'hf-hub:owner/tiny' })
  expect(again.stderr).not.toMatch(/downloading/)
  expect(server.seen).toEqual([])
})

it('a run keeps id and commit, by which its model is found again', async () => {
  const settings = ['--model', 'owner/tiny', '--shots', '1', '--epochs', '1', '--context-length', '2', '--views', '0']
  onlyJson(await coop('train', world.photos, ...settings, ...common(), '--out', at('run')))
  expect((await readSavedRun(at('run'))).model.name).toBe(`owner/tiny@${server.commit}`)
  server.seen.length = 0
  onlyJson(await coop('evaluate', at('run'), world.photos, ...common()))
  expect(server.fileRequests()).toEqual([])
})

it('a word that is no model is refused, with what was tried', async () => {
  const expectRefused = async (model: string, message: RegExp) =>
    expectFailure(await coop(...zeroShot(model)), 1, message)
  await expectRefused('owner/other', /no such folder or file, and as a model on the hub: .*has no model owner\/other/)
  await expectRefused('owner/tiny@v9', /owner\/tiny on .* has no revision "v9"/)
  await expectRefused('tiny', /no such folder or file, and not a hub id/)
  await expectRefused('./owner/tiny', /no such folder or file, and not a hub id/)
  vi.stubEnv('HF_HUB_OFFLINE', '1')
  await expectRefused('owner/other', /HF_HUB_OFFLINE is set, and owner\/other is not in the cache/)
})

it.each(['SIGINT', 'SIGKILL'] as const)('a download ended by %s goes on the next time', async (signal) => {
  await rm(repoFolder(), { recursive: true, force: true })
  const { content } = weights()
  const half = Math.floor(content.length / 2)
  server.intercept = ({ method, url }, response) => {
    if (method !== 'GET' || !url.startsWith('/blob')) return false
    response.setHeader('content-length', content.length)
    response.write(content.subarray(0, half))
    return true
  }
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...zeroShot('owner/tiny')])
  const ended = once(child, 'exit')
  const partial = async () => (await readdir(join(repoFolder(), 'blobs'))).find((name) => name.endsWith('.incomplete'))
  await vi.waitFor(
    async () => {
      const bytes = await readFile(join(repoFolder(), 'blobs', (await partial()) ?? ''))
      expect(bytes.equals(content.subarray(0, half))).toBe(true)
    },
    { timeout: 120_000, interval: 50 },
  )
  child.kill(signal)
  await ended
  const blob = join(repoFolder(), 'blobs', etagOf(weights()))
  await expect(readFile(blob)).rejects.toThrow()

  server.intercept = () => false
  server.seen.length = 0
  onlyJson(await coop(...zeroShot('owner/tiny')))
  const ranges = server.seen.filter(({ url }) => url.startsWith('/blob')).map(({ headers }) => headers.range)
  expect(ranges).toEqual([`bytes=${half}-`])
  expect((await readFile(blob)).equals(content)).toBe(true)
})
