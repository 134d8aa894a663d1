import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Hooks } from '../../../base/progress.ts'
import { coopProcess } from '../../../testing/coop-process.ts'
import { hasRedis, type RedisServer, redisServer } from '../../../testing/redis-server.ts'
import { numbersOfSweep } from '../../../testing/sweep-numbers.ts'
import { type TinyWorld, tinyWorld } from '../../../testing/tiny-world.ts'
import { writeState } from '../control.ts'
import type { SweepOptions } from '../options.ts'
import { sweep } from '../sweep.ts'
import { openSweeps, queueName } from './registry.ts'
import { openQueue } from './runs.ts'
import { type ServeOptions, serveQueue } from './serve.ts'

let world: TinyWorld
let server: RedisServer
beforeAll(async () => {
  if (!hasRedis) return
  world = await tinyWorld()
  server = await redisServer()
})
afterAll(async () => {
  await server?.remove()
  await world?.remove()
})
beforeEach(() => {
  vi.stubEnv('COOP_TS_LOCK_MS', '1500')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await server?.flush()
})

const at = (name: string) => join(world.root, name)
const PLAN = ['datasets: photos', 'models: model', 'views: 2', 'shots: [1, 2]', 'seeds: [1, 2]']
const METHODS = ['methods:', '  - zero-shot', '  - { method: coop, M: 2, epochs: 20 }']
const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`)

/** What was said, and hooks that hear it. */
function hearing(signal?: AbortSignal) {
  const said: string[] = []
  return { said, hooks: { signal, onWarning: (text) => said.push(text) } satisfies Hooks }
}

/** A worker in this process until it is stopped. */
function worker(options: Partial<ServeOptions> = {}) {
  const stopping = new AbortController()
  const { said, hooks } = hearing(stopping.signal)
  const ended = serveQueue({ queue: server.url, cache: at('cache'), threads: 1, ...options }, hooks).catch(
    (error: unknown) => {
      if (!stopping.signal.aborted) throw error
    },
  )
  return {
    said,
    async stop() {
      stopping.abort(new Error('stopped'))
      await ended
    },
  }
}

/** A sweep by queue. */
function queued(plan: string, options: SweepOptions = {}, signal?: AbortSignal) {
  const { said, hooks } = hearing(signal)
  const out = at(plan.replace('.yaml', '-out'))
  return { said, out, result: sweep(at(plan), { queue: server.url, out, cache: at('cache'), ...options }, hooks) }
}

const openSweep = () =>
  vi.waitFor(
    async () => {
      const [open] = await openSweeps(server.redis)
      if (open === undefined) throw new Error('no sweep is in the queue')
      return open
    },
    { timeout: 30_000, interval: 20 },
  )

describe.skipIf(!hasRedis)('a sweep by a Redis queue', { timeout: 120_000 }, () => {
  it('has the results of a local one, each run done once by one of the workers, and leaves nothing in the queue', async () => {
    await write('plan.yaml', [...PLAN, ...METHODS])
    const { result, out, said } = queued('plan.yaml')
    const workers = [worker(), worker()]
    expect(await result).toMatchObject({ runs: 5, before: 0, finished: 5, failed: [] })
    await Promise.all(workers.map(({ stop }) => stop()))
    const local = at('local')
    await sweep(at('plan.yaml'), { out: local, cache: at('cache') })
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(local))
    expect(await server.redis.keys('*')).toEqual([])
    expect(said.join()).toContain(server.shown)
    expect(said.join()).not.toContain('redis://')
    expect(JSON.parse(await readFile(join(out, 'queue', 'running.json'), 'utf8'))).toEqual([])
  })

  it('does a run that takes longer than the lock once, for its worker renews it', async () => {
    vi.stubEnv('COOP_TS_LOCK_MS', '400')
    await write('long.yaml', [
      ...['datasets: photos', 'models: model', 'shots: 2', 'seeds: 1'],
      'methods: [{ method: coop, M: 2, epochs: 3000 }]',
    ])
    const { result } = queued('long.yaml')
    const { head } = await openSweep()
    const queue = openQueue(server.redis, head.token)
    const workers = [worker(), worker()]
    let [longest, stalled] = [0, 0]
    const look = setInterval(async () => {
      for (const job of await queue.getJobs(['active', 'completed', 'waiting'])) {
        longest = Math.max(longest, Date.now() - (job?.processedOn ?? Date.now()))
        stalled = Math.max(stalled, job?.stalledCounter ?? 0, (job?.attemptsStarted ?? 0) - 1)
      }
    }, 50)
    expect(await result).toMatchObject({ finished: 1, failed: [] })
    clearInterval(look)
    await Promise.all(workers.map(({ stop }) => stop()))
    await queue.close()
    expect(longest).toBeGreaterThan(400)
    expect(stalled).toBe(0)
  })

  it('takes the files of runs from workers that do not see its folder', async () => {
    await write('far.yaml', [...PLAN, ...METHODS])
    const { result, out } = queued('far.yaml')
    const open = await openSweep()
    await server.redis.hset('coop-ts:sweeps', open.head.token, JSON.stringify({ ...open, out: '/nowhere/to/be/seen' }))
    const far = worker()
    expect(await result).toMatchObject({ runs: 5, finished: 5, failed: [] })
    await far.stop()
    const local = at('far-local')
    await sweep(at('far.yaml'), { out: local, cache: at('cache') })
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(local))
    const [coop = ''] = (await readdir(join(out, 'runs'))).filter((id) => id.includes('-coop-'))
    expect((await readdir(join(out, 'runs', coop))).sort()).toEqual([
      ...['learned.safetensors', 'metrics.jsonl', 'results.json', 'settings.json'],
    ])
    expect(await readdir(at(`cache/queue/${open.head.token}`)).catch(() => [])).toEqual([])
  })

  it('sets a run aside that fails, and says why', async () => {
    const wild = '  - { method: coop, M: 2, epochs: 5, learningRate: 1e30 }'
    await write('wild.yaml', ['datasets: photos', 'models: model', 'shots: 1', 'seeds: 1', ...METHODS, wild])
    const { result, out, said } = queued('wild.yaml')
    const one = worker()
    const { failed, finished } = await result
    await one.stop()
    expect({ failed, finished }).toMatchObject({
      finished: 2,
      failed: [{ error: expect.stringMatching(/training failed/) }],
    })
    const error = JSON.parse(await readFile(join(out, 'runs', failed[0]?.id ?? '', 'error.json'), 'utf8'))
    expect(error).toMatchObject({ attempts: 1, remedy: expect.stringMatching(/smaller learning rate/) })
    expect(said.join()).toMatch(/failed: training failed/)
  })

  it('goes on when the server is started again, and when it has lost all', async () => {
    await write('restart.yaml', [...PLAN, 'methods: [{ method: coop, M: 2, epochs: [100, 120, 140] }]'])
    const { result, out } = queued('restart.yaml')
    await openSweep()
    const workers = [worker(), worker()]
    for (const way of ['SIGTERM', 'SIGKILL'] as const) {
      await sleep(1200)
      await server.stop(way)
      await sleep(300)
      await server.start()
    }
    await sleep(800)
    await server.flush()
    expect(await result).toMatchObject({ runs: 12, finished: 12, failed: [] })
    await Promise.all(workers.map(({ stop }) => stop()))
    expect(await numbersOfSweep(out)).toHaveLength(12)
  })

  it('waits for a server that does not answer, and says so once', async () => {
    await write('gone.yaml', [...PLAN, ...METHODS])
    const { result, said } = queued('gone.yaml')
    await openSweep()
    await server.stop()
    const waits = () => said.filter((text) => text.includes('does not answer: waiting'))
    await vi.waitFor(() => expect(waits()).toHaveLength(1), { timeout: 20_000 })
    await sleep(1500)
    await server.start()
    const one = worker()
    expect(await result).toMatchObject({ finished: 5, failed: [] })
    await one.stop()
    expect(waits()).toHaveLength(1)
    expect(said.join()).toContain('answers again')
  })

  it('leaves a run to others where its data set is not, and shows that it waits', async () => {
    await write('lacking.yaml', ['datasets: photos', 'models: model', 'shots: 1', 'seeds: 1', ...METHODS])
    const { result, out } = queued('lacking.yaml')
    await openSweep()
    await rename(at('photos'), at('elsewhere'))
    const one = worker()
    await vi.waitFor(
      async () => {
        const running = await readFile(join(out, 'queue', 'running.json'), 'utf8')
        expect(running).toMatch(/waits: .*photos/)
      },
      { timeout: 30_000, interval: 100 },
    )
    expect(one.said.filter((text) => text.includes('left to other workers'))).toHaveLength(1)
    await rename(at('elsewhere'), at('photos'))
    expect(await result).toMatchObject({ finished: 2, failed: [] })
    await one.stop()
  })

  it('sets messages aside that are no runs, whatever they are', async () => {
    await write('damaged.yaml', [...PLAN, ...METHODS])
    const { result, said } = queued('damaged.yaml')
    const { head } = await openSweep()
    const queue = openQueue(server.redis, head.token)
    for (const [name, data] of [
      ['run', {}],
      ['run', { job: { id: '../../etc' } }],
      ['run', null],
      ['features', { job: [] }],
      ['release', 7],
      ['else', { job: 1 }],
    ] as const) {
      await queue.add(name, data)
    }
    await server.redis.hset('coop-ts:sweeps', 'no-token', '{"version":')
    await server.redis.hset('coop-ts:sweeps', head.token.replace(/^./, 'z'), '[]')
    const one = worker()
    expect(await result).toMatchObject({ finished: 5, failed: [] })
    await one.stop()
    expect(said.filter((text) => text.startsWith('set aside')).length).toBeGreaterThan(0)
    await queue.close()
  })

  it('does not take what a worker delivers without looking at it', async () => {
    await write('liar.yaml', ['datasets: photos', 'models: model', 'shots: 1', 'seeds: 1', 'methods: [zero-shot]'])
    const { result, out, said } = queued('liar.yaml')
    const { head } = await openSweep()
    const results = Buffer.from(JSON.stringify({ id: 'another', accuracy: 1 })).toString('base64')
    const lies: unknown[] = [7, { files: { results } }, { files: { results, settings: results } }]
    const liar = new Worker(queueName(head.token), async () => lies.pop(), {
      connection: server.redis,
      prefix: 'coop-ts',
    })
    expect(await result).toMatchObject({ finished: 0, failed: [{}] })
    await liar.close()
    expect(said.filter((text) => text.includes('the run is repeated'))).toHaveLength(3)
    const [id = ''] = await readdir(join(out, 'runs'))
    expect(await readdir(join(out, 'runs', id))).toEqual(['error.json'])
  })

  it('computes the features of a large data set in parts, for which its runs wait', async () => {
    vi.stubEnv('COOP_TS_SHARD', '3')
    await write('parts.yaml', [...PLAN, ...METHODS])
    const { result, out } = queued('parts.yaml', { cache: at('parts-cache') })
    const { head } = await openSweep()
    const queue = openQueue(server.redis, head.token)
    await vi.waitFor(async () =>
      expect(await queue.getJobCounts()).toMatchObject({ 'waiting-children': 1, waiting: 3 }),
    )
    const one = worker({ cache: at('parts-cache') })
    expect(await result).toMatchObject({ runs: 5, finished: 5, failed: [] })
    await one.stop()
    await queue.close()
    const local = at('parts-local')
    await sweep(at('parts.yaml'), { out: local, cache: at('cache') })
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(local))
  })

  it('is stopped by Ctrl-C without its workers, and takes their results in when it is started again', async () => {
    await write('again.yaml', [...PLAN, ...METHODS])
    const stopping = new AbortController()
    const first = queued('again.yaml', {}, stopping.signal)
    const { head } = await openSweep()
    const queue = openQueue(server.redis, head.token)
    await vi.waitFor(async () => expect(await queue.getWaitingCount()).toBe(5), { timeout: 20_000 })
    await queue.close()
    stopping.abort(new Error('Ctrl-C'))
    await expect(first.result).rejects.toThrow('Ctrl-C')
    const ended = await serveQueue({ queue: server.url, drain: true, cache: at('cache'), threads: 1 })
    expect(ended).toMatchObject({ finished: 5, failed: 0, queue: server.shown })
    expect((await openSweep()).head.token).toBe(head.token)
    expect(await queued('again.yaml').result).toMatchObject({ runs: 5, failed: [] })
    expect(await server.redis.keys('*')).toEqual([])
  })

  it('serves the oldest of two sweeps first', async () => {
    await write('one.yaml', [...PLAN, ...METHODS])
    await write('two.yaml', [...PLAN, 'methods: [class-mean]'])
    const order: string[] = []
    const watch = (name: string) => (text: unknown) => {
      order.push(name)
      return text
    }
    const one = queued('one.yaml').result.then(watch('one'))
    await openSweep()
    const two = queued('two.yaml').result.then(watch('two'))
    await vi.waitFor(async () => expect(await openSweeps(server.redis)).toHaveLength(2), { timeout: 30_000 })
    await serveQueue({ queue: server.url, drain: true, cache: at('cache'), threads: 1 })
    await Promise.all([one, two])
    expect(order).toEqual(['one', 'two'])
  })

  it('stops with a word where no server answers, or the password is wrong', async () => {
    const locked = await redisServer('s3cret')
    try {
      const file = at('address')
      await writeFile(file, `redis://:wrong@${locked.shown}\n`)
      await expect(serveQueue({ queue: file, drain: true })).rejects.toThrow(
        new RegExp(`^the queue at ${locked.shown} does not answer: WRONGPASS`),
      )
      await writeFile(file, `${locked.url}\n`)
      expect(await serveQueue({ queue: file, drain: true })).toMatchObject({ finished: 0, queue: locked.shown })
    } finally {
      await locked.remove()
    }
    await expect(serveQueue({ queue: 'redis://127.0.0.1:1', drain: true })).rejects.toThrow(
      /127.0.0.1:1 does not answer/,
    )
  })

  it.for([
    ['killed', 'SIGKILL', null],
    ['stopped', 'SIGTERM', 143],
  ] as const)(
    'has the run of a worker that is %s go on from its checkpoint elsewhere',
    async ([name, signal, status]) => {
      await write(`${name}.yaml`, [
        ...['datasets: photos', 'models: model', 'shots: 2', 'seeds: 1'],
        'methods: [{ method: coop, M: 2, epochs: 3000 }]',
      ])
      const { result, out } = queued(`${name}.yaml`, { checkpointSeconds: 0.2 })
      await openSweep()
      const words = ['worker', '--queue', server.url, '--cache', at('cache'), '--threads', '1']
      const checkpoints = async () =>
        (await readdir(join(out, 'runs'), { recursive: true }).catch(() => [])).filter((file) =>
          file.includes('checkpoint'),
        )
      const ended = await coopProcess(words, async (child) => {
        await vi.waitFor(async () => expect(await checkpoints()).toHaveLength(1), { timeout: 60_000 })
        child.kill(signal)
      })
      expect(ended.status).toBe(status)
      const [lost] = await checkpoints()
      const kept = await stat(join(out, 'runs', lost ?? ''))
      const one = worker()
      expect(await result).toMatchObject({ runs: 1, finished: 1, failed: [] })
      await one.stop()
      expect(kept.size).toBeGreaterThan(0)
      const local = at(`${name}-local`)
      await sweep(at(`${name}.yaml`), { out: local, cache: at('cache') })
      expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(local))
    },
  )

  it('is paused and cancelled by its folder', async () => {
    await write('control.yaml', [...PLAN, 'methods: [{ method: coop, M: 2, epochs: 3000 }]'])
    const { result, out, said } = queued('control.yaml')
    result.catch(() => undefined)
    const { head } = await openSweep()
    await writeState(out, 'paused')
    await vi.waitFor(async () => expect((await openSweeps(server.redis))[0]?.state).toBe('paused'), { timeout: 20_000 })
    expect(await serveQueue({ queue: server.url, drain: true, cache: at('cache') })).toMatchObject({ finished: 0 })
    await writeState(out, 'going')
    await vi.waitFor(async () => expect((await openSweeps(server.redis))[0]?.state).toBe('going'), { timeout: 20_000 })
    const one = worker()
    const queue = openQueue(server.redis, head.token)
    await vi.waitFor(async () => expect(await queue.getActiveCount()).toBe(1), { timeout: 20_000 })
    await queue.close()
    await writeState(out, 'cancelled')
    await expect(result).rejects.toThrow(/was cancelled/)
    expect(said.join()).toContain('paused')
    await one.stop()
    expect(await openSweeps(server.redis)).toEqual([])
    expect(await numbersOfSweep(out).catch(() => [])).toEqual([])
  })
})
