import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { train } from '../src/runs/train.ts'
import { NODE } from '../src/testing/coop-process.ts'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'

// Neither coop-ts nor any package that it uses talks to anybody: what a process and its threads ask of the network, below
// JavaScript as well (strace), and what it leaves in the home folder.

const NOTE = fileURLToPath(new URL('../src/testing/note-network.js', import.meta.url))
/** A program that writes down what a process asks of the system, native code too; `strace` of Linux. */
const TRACE = ['-D', '-f', '-qq', '--seccomp-bpf', '-e', 'trace=connect,sendto,sendmsg,sendmmsg']
const TRACES = spawnSync('strace', [...TRACE, 'true']).status === 0
if (!TRACES) console.warn('Only what JavaScript asks of the network is tested: there is no strace here.')

let world: TinyWorld
let home: string
beforeAll(async () => {
  world = await tinyWorld()
  await writeFile(join(world.root, 'plan.yaml'), PLAN.join('\n'))
})
afterAll(() => world.remove())
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'coop-home-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const PLAN = [
  'datasets: photos',
  'models: model',
  'methods: [tip-adapter, { method: coop, M: 1, epochs: 1 }]',
  'shots: 1',
]

interface Heard {
  /** Names looked up and connections made, a line each. */
  readonly asked: string[]
  /** What lies in the home folder. */
  readonly left: string[]
}

/** Runs Node, and tells what it asked of the network; `meanwhile` may speak with it. */
async function listened(
  args: readonly string[],
  meanwhile?: (child: ChildProcess) => Promise<unknown>,
): Promise<Heard> {
  const [notes, trace] = [join(world.root, 'notes.txt'), join(world.root, 'trace.txt')]
  await Promise.all([notes, trace].map((file) => writeFile(file, '')))
  const node = [process.execPath, '--import', NOTE, ...args]
  const [program = '', ...words] = TRACES ? ['strace', ...TRACE, '-o', trace, ...node] : node
  const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), NETWORK_NOTES: notes }
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.resume()
  const said = text(child.stderr)
  const closed = once(child, 'close')
  await meanwhile?.(child)
  const [status] = await closed
  expect(status, await said).toBe(0)
  const lines = async (file: string) => (await readFile(file, 'utf8')).split('\n')
  const traced = (await lines(trace)).filter((line) => /AF_INET|sin6?_port/.test(line))
  const noted = (await lines(notes)).filter((line) => line !== '' && !/path: '/.test(line))
  return { asked: [...noted, ...traced], left: await readdir(home, { recursive: true }) }
}

const coop = (...words: readonly string[]) => [...NODE, ...words, '--threads', '1']
const model = () => ['--model', world.model]

it('what a process asks of the network is seen', async () => {
  const asks =
    "await fetch('http://127.0.0.1:59999/').catch(() => {}); (await import('node:dns')).lookup('localhost', () => {})"
  const { asked } = await listened(['--input-type=module', '-e', asks])
  expect(asked).toEqual(expect.arrayContaining([expect.stringMatching(/^name 'localhost'/)]))
  expect(asked).toEqual(expect.arrayContaining([expect.stringMatching(/^connection .*127.0.0.1/)]))
  if (TRACES) expect(asked).toEqual(expect.arrayContaining([expect.stringMatching(/connect\(.*htons\(59999\)/)]))
})

/** What is ours. */
const OUR_CACHE = /^cache([/\\]coop-ts\b.*)?$/

it('train, classify and sweep ask nobody and leave nothing but our cache', async () => {
  const settings = ['--shots', '1', '--method', 'coop', '--epochs', '1', '--context-length', '1']
  const at = (name: string) => join(world.root, name)
  for (const words of [
    ['train', world.photos, ...settings, '--out', at('run'), ...model()],
    ['classify', at('run'), world.photos, ...model()],
    ['sweep', at('plan.yaml'), '--out', at('sweep')],
  ]) {
    const { asked, left } = await listened(coop(...words))
    expect(asked, words[0]).toEqual([])
    expect(left, words[0]).toContain(join('cache', 'coop-ts'))
    expect(
      left.filter((file) => !OUR_CACHE.test(file)),
      words[0],
    ).toEqual([])
  }
})

it('serve answers, asks nobody and leaves nothing', async () => {
  const run = join(world.root, 'served')
  const { model } = world
  await train(world.photos, {
    out: run,
    model,
    shots: 1,
    method: 'class-mean',
    cache: join(world.root, 'cache'),
    threads: 1,
  })
  const body = await readFile(join(world.photos, 'blue', '0.png'))
  const { asked, left } = await listened(coop('serve', '--run', run, '--port', '0'), async (child) => {
    const lines = createInterface({ input: child.stdout ?? process.stdin })
    const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit')])
    const [url] = /http:\/\/\S+/.exec(line) ?? []
    const headers = { 'content-type': 'image/png' }
    const answer = await fetch(`${url}/v1/classify`, { method: 'POST', body, headers }).finally(() => child.kill())
    expect(answer.status).toBe(200)
  })
  expect(asked).toEqual([])
  expect(left.filter((file) => !OUR_CACHE.test(file))).toEqual([])
})
