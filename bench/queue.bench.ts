import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundledSamples } from '../src/node/package.ts'
import { sweep } from '../src/runs/sweep/sweep.ts'
import { NODE } from '../src/testing/coop-process.ts'
import { hasRedis, type RedisServer, redisServer } from '../src/testing/redis-server.ts'
import { absent, type Bench, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { timed } from './measure.ts'

const WORKERS = [1, 2, 4]

export const queue: Bench = {
  name: 'queue',
  about:
    'short runs of the bundled model by workers of a Redis queue, one thread each, beside a local sweep; many runs queued',
  long: true,
  async run(_, { quick }) {
    if (!hasRedis) return { figures: [absent('redis-server', '', NOT_INSTALLED)], notes: [] }
    const folder = await mkdtemp(join(tmpdir(), 'coop-bench-'))
    const redis = await redisServer()
    try {
      const short = await throughput(folder, redis, quick ? 5 : 10)
      const signs = await signsOfLife(folder, redis)
      const many = await manyRuns(folder, redis, quick ? 1000 : 100_000)
      return { figures: [...short.figures, signs, ...many], notes: short.notes }
    } finally {
      await redis.remove()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** A plan of ten runs a seed on a sample task, which the bundled model has never seen. */
async function planOf(folder: string, name: string, methods: readonly string[], seeds: number): Promise<string> {
  const file = join(folder, `${name}.yaml`)
  const lines = [
    `datasets: [${JSON.stringify(join(bundledSamples(), 'sports'))}]`,
    `methods: [${methods.join(', ')}]`,
    'shots: [1, 2, 4, 8, 16]',
    `seeds: [${Array.from({ length: seeds }, (_, i) => i + 1).join(', ')}]`,
    'views: 0',
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

const coop = (...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [...NODE, ...words, '--quiet'], { stdio: 'ignore' })
const ended = (child: ChildProcess) => new Promise<void>((resolve) => child.once('close', () => resolve()))

/** Runs a minute, from the first run that is added to the last result that is taken in, with workers that are there already. */
async function throughput(folder: string, { url, redis }: RedisServer, seeds: number) {
  const runs = 10 * seeds
  const plan = await planOf(
    folder,
    'short',
    ['{ method: coop, recipe: fast, M: 4, epochs: 10 }', 'linear-probe'],
    seeds,
  )
  const cache = join(folder, 'cache')
  const where = (name: string) => ({ out: join(folder, name), cache })
  await sweep(await planOf(folder, 'warm', ['zero-shot'], 1), { ...where('warm'), threads: 1 })
  const local = await timed(() => sweep(plan, { ...where('local'), threads: 1, parallel: 1 }))
  const figures: Figure[] = [figure('a local sweep', 1, 'speed', 'runs/min', [(60_000 * runs) / local.ms])]
  const times: number[] = []
  for (const count of WORKERS) {
    const words = ['worker', '--queue', url, '--cache', cache, '--threads', '1', '--parallel', '1']
    const workers = Array.from({ length: count }, () => coop(...words))
    await sleep(5000) // they have started, and wait
    const before = await commandsOf(redis)
    const { ms } = await timed(() => sweep(plan, { ...where(`by-${count}`), queue: url }))
    const commands = (await commandsOf(redis)) - before
    times.push(ms)
    figures.push(figure('a queue', count, 'speed', 'runs/min', [(60_000 * runs) / ms]))
    figures.push(figure('a queue', count, 'commands of Redis, a run', '', [commands / runs]))
    for (const worker of workers) worker.kill('SIGTERM')
    await Promise.all(workers.map(ended))
  }
  const cost = ((times[0] ?? Number.NaN) - local.ms) / runs
  return {
    figures,
    notes: [
      'size: workers, or runs',
      `the queue costs a run ${cost.toFixed(0)} ms: one worker beside the local sweep, ${runs} runs`,
    ],
  }
}

const commandsOf = async (redis: RedisServer['redis']): Promise<number> =>
  Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1])

/** Commands of Redis a second while one worker does a long run. */
async function signsOfLife(folder: string, { url, redis }: RedisServer): Promise<Figure> {
  const plan = join(folder, 'long.yaml')
  const method = '{ method: coop, M: 4, epochs: 300 }'
  await writeFile(
    plan,
    `datasets: [${JSON.stringify(join(bundledSamples(), 'sports'))}]\nmethods: [${method}]\nshots: 16\nseeds: 1\nviews: 0\n`,
  )
  const cache = join(folder, 'cache')
  const worker = coop('worker', '--queue', url, '--cache', cache, '--threads', '1', '--parallel', '1')
  await sleep(5000)
  const before = await commandsOf(redis)
  const { ms } = await timed(() => sweep(plan, { out: join(folder, 'long'), cache, queue: url }))
  const commands = (await commandsOf(redis)) - before
  worker.kill('SIGTERM')
  await ended(worker)
  return figure('a long run', `${(ms / 1000).toFixed(0)} s`, 'commands of Redis', '1/s', [(1000 * commands) / ms])
}

/** Runs that are queued and never done: how long that takes, and how much memory. */
async function manyRuns(folder: string, { url, redis }: RedisServer, runs: number): Promise<Figure[]> {
  await redis.flushall()
  const plan = await planOf(folder, 'many', ['class-mean', 'gda'], runs / 10)
  const out = join(folder, 'many')
  const started = performance.now()
  const waiting = coop('sweep', plan, '--out', out, '--queue', url)
  const end = ended(waiting)
  const queued = async () => {
    const keys = await redis.keys('*:wait')
    return keys[0] === undefined ? 0 : redis.llen(keys[0])
  }
  while ((await queued()) < runs) await sleep(100)
  const added = performance.now() - started
  const memory = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]
  const own = /VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${waiting.pid}/status`, 'utf8'))?.[1]
  const each = async (...words: string[]) => (await timed(() => ended(coop('sweep', ...words, out)))).ms
  const seconds = (what: string, ms: number) => figure('many runs queued', runs, what, 's', [ms / 1000])
  const status = await each('status')
  const cancelling = timed(() => end)
  await each('cancel')
  return [
    seconds('looked at and added', added),
    seconds('coop-ts sweep status', status),
    seconds('cancelled, until the sweep has ended', (await cancelling).ms),
    figure('many runs queued', runs, 'memory of Redis', 'MB', [Number(memory) / 1e6]),
    figure('many runs queued', runs, 'memory of the sweep at most', 'MB', [Number(own) / 1e3]),
    figure('many runs queued', runs, 'keys left in Redis', '', [(await redis.keys('*')).length]),
  ]
}
