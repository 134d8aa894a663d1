import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { MODEL_WORDS } from '../clip/known-models.ts'
import { coop, onlyJson } from '../testing/coop.ts'
import { coopProcess } from '../testing/coop-process.ts'
import { type HubFile, type HubServer, hubServer } from '../testing/hub-server.ts'
import { coopAtTerminal, hasTerminal } from '../testing/terminal.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { createCoop } from './coop.ts'

let world: TinyWorld
let server: HubServer
let photographs: string
beforeAll(async () => {
  world = await tinyWorld(4)
  photographs = join(world.root, 'photographs')
  for (const colour of await readdir(world.photos))
    for (const file of await readdir(join(world.photos, colour)))
      await cp(join(world.photos, colour, file), join(photographs, colour, file.replace('.png', '.jpg')))
  const files = (await readdir(world.model)).map(async (name): Promise<[string, HubFile]> => {
    return [name, { content: await readFile(join(world.model, name)), isLarge: name.endsWith('.safetensors') }]
  })
  server = await hubServer(new Map(await Promise.all(files)), MODEL_WORDS.fast)
})
afterAll(async () => {
  await server.close()
  await world.remove()
})
beforeEach(() => {
  vi.stubEnv('HF_ENDPOINT', server.endpoint)
  vi.stubEnv('HF_HUB_CACHE', at('hub'))
  for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_TOKEN']) vi.stubEnv(name, '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.seen.length = 0
  for (const name of ['hub', 'run']) await rm(at(name), { recursive: true, force: true })
})

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache')]
const zeroShot = (...more: readonly string[]) => ['zero-shot', photographs, ...common(), ...more]
const train = (...more: readonly string[]) => [
  'train',
  photographs,
  '--method',
  'class-mean',
  '--out',
  at('run'),
  ...common(),
  ...more,
]
const QUESTION = /Take one that knows them: .*605 MB to download once\? \[y\/N\] $/
const LOUD = /warning: THE BUNDLED MODEL KNOWS DRAWINGS ONLY/
const modelIn = async () => JSON.parse(await readFile(join(at('run'), 'results.json'), 'utf8')).model.name

it('off a terminal nothing is fetched or asked: the bundled model, and it is said', async () => {
  const { status, stderr } = await coopProcess([...train(), '--json'])
  expect(status).toBe(0)
  expect(stderr).toMatch(LOUD)
  expect(stderr).not.toMatch(/\[y\/N\]/)
  expect(server.seen).toEqual([])
  expect(await modelIn()).toBe('bundled')
})

it('a word that was named is fetched, and results have what it stands for', async () => {
  const { status, stderr } = await coop(...train('--model', 'fast'))
  expect(status).toBe(0)
  expect(stderr).not.toMatch(/BUNDLED/)
  expect(await modelIn()).toBe(MODEL_WORDS.fast)

  // and now it is in the cache
  server.seen.length = 0
  const again = await coop(...train('--force'))
  expect(again.stderr).toMatch(/warning: most of these pictures look like photographs.*which is in the cache/)
  expect(await modelIn()).toBe(MODEL_WORDS.fast)
  const ofFolder = Object(onlyJson(await coop(...zeroShot('--json', '--model', world.model))))
  expect(onlyJson(await coop(...zeroShot('--json')))).toEqual({ ...ofFolder, model: MODEL_WORDS.fast })
  // not even whether there is a newer one is asked, which would be fetched
  expect(server.seen).toEqual([])
})

it('a run that was begun with the bundled model goes on with it, whatever the cache has now', async () => {
  expect((await coop(...train())).status).toBe(0)
  expect((await coop('models', 'fast')).status).toBe(0)
  const { status, stdout } = await coop(...train('--resume'))
  expect(status).toBe(0)
  expect(stdout).toMatch(/finished before/)
  expect(await modelIn()).toBe('bundled')
})

describe('at a terminal', () => {
  const asked = async (words: readonly string[], typed: string | undefined, quiet = false) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true })
    let shown = ''
    const stderr = { isTTY: true, write: (text: string) => (shown += text) }
    const all = quiet ? [...words, '--quiet'] : words
    if (typed !== undefined) stdin.end(typed)
    const status = await createCoop(all, { stdout: { write: () => {} }, stderr, stdin }).run()
    return { status, shown }
  }

  it.each<[string, string, RegExp]>([
    ['a no', 'n\n', LOUD],
    ['an empty line', '\n', LOUD],
    ['the end of the input', '', LOUD],
    ['something else, then a no', 'maybe\nNo\n', /\[y\/N\] Please answer y or n: [\s\S]*THE BUNDLED/],
    ['something else again and again', 'a\nb\nc\nd\n', /(Please answer y or n: ){2}[\s\S]*THE BUNDLED/],
  ])('%s is a no', async (_, typed, shown) => {
    const ended = await asked(zeroShot(), typed)
    expect(ended.shown).toMatch(shown)
    expect(ended.status).toBe(0)
    expect(server.seen).toEqual([])
  })

  it('a yes fetches it, once; --quiet asks nothing', async () => {
    expect((await asked(zeroShot(), undefined, true)).shown).not.toMatch(/\[y\/N\]/)
    const ended = await asked(train(), ' Yes \n')
    expect(ended.shown).toMatch(/downloading .*open_clip_model\.safe/)
    expect(await modelIn()).toBe(MODEL_WORDS.fast)
    expect((await asked(zeroShot(), undefined)).shown).toMatch(/is in the cache/)
  })

  it('a yes without a hub ends with what is wrong', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9')
    const ended = await asked(zeroShot(), 'y\n')
    expect(ended.status).toBe(1)
    expect(ended.shown).toMatch(/coop-ts: .*cannot reach 127\.0\.0\.1:9/)
  })
})

describe.runIf(hasTerminal())('at a real terminal', () => {
  it('the question is answered there', async () => {
    const { status, shown } = await coopAtTerminal(zeroShot(), [
      [QUESTION, 'perhaps\n'],
      [/Please answer y or n: $/, 'y\n'],
    ])
    expect(shown).toMatch(/downloading[\s\S]*all test images/)
    expect(status).toBe(0)
  })

  it('Ctrl-C at the question ends it, and nothing is left', async () => {
    const { status, shown } = await coopAtTerminal(train(), [[QUESTION, '\u0003']])
    expect(shown).toMatch(/\^C[\s\S]*coop-ts: .*(interrupted|stopped)/i)
    expect(status).toBe(130)
    expect(server.seen).toEqual([])
    await expect(readdir(at('run'))).rejects.toThrow(/ENOENT/)
  })
})
