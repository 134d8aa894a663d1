import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../../testing/coop.ts'
import { coopProcess } from '../../testing/coop-process.ts'
import { stepsTaken } from '../../testing/kills.ts'
import { numbersOfSweep } from '../../testing/sweep-numbers.ts'
import { type TinyWorld, tinyWorld } from '../../testing/tiny-world.ts'
import { sweepStatus } from './status.ts'
import { slotsFor } from './worker.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--cache', at('cache'), '--threads', '1', '--json']
const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`)
const METHOD = '  - { method: coop, M: 2, epochs: 20, position: [end, front] }'
const PLAN = ['datasets: photos', 'models: model', 'methods:', METHOD, 'shots: [1, 2]', 'seeds: 1', 'views: 2']
const slow = (epochs: number) => PLAN.map((line) => line.replace('epochs: 20', `epochs: ${epochs}`))

const emit = (plan: string, out: string) => coop('sweep', at(plan), '--out', at(out), '--emit', 'slurm', ...common())
const worker = (out: string, ...more: readonly string[]) => coop('worker', at(out), ...common(), ...more)

const numbersOf = (out: string) => numbersOfSweep(at(out))

describe('coop-ts worker', () => {
  it('stops when its time is up, with exit status 75 and checkpoints; the next one goes on', async () => {
    await write('slow.yaml', slow(3000))
    await emit('slow.yaml', 'timed')
    const ended = await worker('timed', '--minutes', '0.03')
    expect(ended.status).toBe(75)
    const result = Object.assign({ waiting: 0, finished: 0 }, onlyJson(ended))
    expect(result.waiting).toBeGreaterThan(0)
    expect(result.waiting + result.finished).toBe(4)
    const left = await readdir(join(at('timed'), 'runs'), { recursive: true })
    const kept = left
      .filter((file) => /(checkpoint\.safetensors|results\.json)$/.test(file))
      .map((file) => dirname(file))
    for (const run of new Set(left.filter((file) => file.endsWith('metrics.jsonl')).map((file) => dirname(file)))) {
      if ((await stepsTaken(join(at('timed'), 'runs', run))) > 0) expect(kept).toContain(run)
    }
    const rest = await worker('timed')
    expect(rest.status).toBe(0)
    expect(onlyJson(rest)).toMatchObject({ runs: 4, finished: result.waiting, elsewhere: result.finished, waiting: 0 })
  })

  it('keeps a checkpoint at SIGTERM, and leaves no claim', async () => {
    await emit('slow.yaml', 'ended')
    const { status } = await coopProcess(['worker', at('ended'), ...common()], async (child) => {
      while ((await stepsTaken(at('ended'))) === 0) await sleep(20)
      child.kill('SIGTERM')
    })
    expect(status).toBe(143)
    const left = await readdir(join(at('ended'), 'runs'), { recursive: true })
    expect(left).toContainEqual(expect.stringMatching(/checkpoint\.safetensors$/))
    expect(left).not.toContainEqual(expect.stringMatching(/claim\.json$/))
  })

  it('leaves runs to others whose data set it lacks, says what is lacking, and does the rest', async () => {
    const plan = PLAN.map((line) => line.replace('photos', '[photos, animals]'))
    await cp(at('photos'), at('animals'), { recursive: true })
    await write('two.yaml', plan)
    await emit('two.yaml', 'lacking')
    await rename(at('animals'), at('away'))
    const ended = await worker('lacking')
    expect(ended.status).toBe(1)
    const result = Object.assign({ left: [] }, onlyJson(ended))
    expect(result).toMatchObject({ runs: 8, finished: 4, failed: [], waiting: 0 })
    expect(result.left).toHaveLength(4)
    expect(result.left[0]).toMatchObject({ error: expect.stringContaining(at('animals')) })
    expect(await sweepStatus(at('lacking'))).toMatchObject({ done: 4, waiting: 4, aside: [] })
    await rename(at('away'), at('animals'))
    const other = await worker('lacking')
    expect(other.status).toBe(0)
    expect(onlyJson(other)).toMatchObject({ finished: 4, elsewhere: 4, left: [] })
  })

  it('works together with a sweep in the same folder: each run is done once, with the same numbers', async () => {
    await write('plan.yaml', slow(150))
    await coop('sweep', at('plan.yaml'), '--out', at('alone'), ...common())
    await emit('plan.yaml', 'joined')
    const [one, two, whole] = await Promise.all([
      coopProcess(['worker', at('joined'), ...common()]),
      coopProcess(['worker', at('joined'), ...common()]),
      coopProcess(['sweep', at('plan.yaml'), '--out', at('joined'), ...common()]),
    ])
    for (const { status } of [one, two, whole]) expect(status).toBe(0)
    expect(onlyJson(whole)).toMatchObject({ runs: 4, failed: [] })
    expect(await numbersOf('joined')).toEqual(await numbersOf('alone'))
  })

  it('sets a run aside that ten workers in a row were lost with', async () => {
    await emit('plan.yaml', 'lost')
    const [, first = ''] = (await readFile(join(at('lost'), 'queue', 'list.jsonl'), 'utf8')).split('\n')
    const { id } = JSON.parse(first)
    const claim = {
      host: hostname(),
      pid: 2 ** 22 + 1,
      token: 'of a process that is gone',
      since: '2026-01-01',
      lost: 9,
    }
    await mkdir(join(at('lost'), 'runs', id), { recursive: true })
    await writeFile(join(at('lost'), 'runs', id, 'claim.json'), JSON.stringify(claim))
    expect(onlyJson(await worker('lost'))).toMatchObject({ finished: 3, failed: [{ id }], waiting: 0 })
    expect((await sweepStatus(at('lost'))).aside).toMatchObject([
      { id, error: expect.stringMatching(/begun 10 times/) },
    ])
  })

  it('says what to do where a folder has no list', async () => {
    expectFailure(await worker('photos'), 1, /photos has no list of runs/)
  })
})

describe('coop-ts sweep retry', () => {
  it('has runs tried again that were set aside', async () => {
    await write('damaged.csv', [
      'path,label,split',
      'a.png,a,train',
      'photos/red/1.png,b,train',
      'photos/red/2.png,a,test',
    ])
    await writeFile(at('a.png'), 'no picture')
    await write('damaged.yaml', ['datasets: damaged.csv', ...PLAN.slice(1)])
    await emit('damaged.yaml', 'damaged')
    expect(await worker('damaged')).toMatchObject({ status: 0 })
    const found = await sweepStatus(at('damaged'))
    expect(found.aside).toHaveLength(4)
    expect(found.aside[0]).toMatchObject({ attempts: 3, error: expect.stringMatching(/a\.png|class/) })
    expect((await coop('sweep', 'status', at('damaged'))).stdout).toMatch(/set aside: damaged-csv-coop-1-shot/)
    await writeFile(at('a.png'), await readFile(at('photos/blue/1.png')))
    const retried = await coop('sweep', 'retry', at('damaged'), '--json')
    expect(Object.assign({ retried: [] }, onlyJson(retried)).retried).toHaveLength(4)
    expect(onlyJson(await worker('damaged'))).toMatchObject({ finished: 4, failed: [] })
  })
})

describe('words in place of a plan', () => {
  it.each([
    [['status', 'nowhere'], /nowhere has no list of runs/, 1],
    [['status', 'x', '--dry-run'], /takes no --dry-run/, 2],
    [['plan.yaml', 'x'], /there is a second word, x/, 2],
    [['./status'], /status: no such file/, 1],
  ] as const)('%j', async (words, message, status) => {
    expectFailure(await coop('sweep', ...words, '--json'), status, message)
  })
})

describe('slotsFor', () => {
  const GB = 1e9
  it.each([
    ['a small model has a run a thread', 10e6, { threads: 8 }, 100 * GB, { slots: 8, threads: 1 }],
    ['as far as memory goes', 100e6, { threads: 8 }, 2 * GB, { slots: 2, threads: 4 }],
    ['one at least', 100e6, { threads: 8 }, 0.1 * GB, { slots: 1, threads: 8 }],
    ['a large model has one run with all threads', 600e6, { threads: 8 }, 100 * GB, { slots: 1, threads: 8 }],
    ['but what is asked for is done', 600e6, { threads: 8, parallel: 3 }, 1 * GB, { slots: 3, threads: 2 }],
  ] as const)('%s', (_, weights, options, memory, expected) => {
    expect(slotsFor(weights, options, memory)).toEqual(expected)
  })
})
