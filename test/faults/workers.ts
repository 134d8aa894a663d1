import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../src/base/random.ts'
import { exists } from '../../src/node/run-folder.ts'
import { type RedisServer, redisServer } from '../../src/testing/redis-server.ts'
import { type Attempt, type Fault, type Place, pick } from './fault.ts'
import { endOf, lastWords, type Running, start, type Way } from './process.ts'
import { differences, resultOf } from './result.ts'
import * as works from './works.ts'

/** What happens to a sweep while several processes work at it. */
type Mishap = (play: Play, random: Random) => Promise<string>

/** A sweep and its workers, and what they have in common. */
interface Play {
  readonly redis?: RedisServer
  sweep: Running
  readonly workers: Running[]
  startSweep(): Running
  /** @param node given to Node before the program */
  startWorker(node?: readonly string[]): Running
  kills: number
}

/** A run that loses its worker three times is set aside: that is promised, and not what is tried here. */
const MOST_KILLS = 2
/** Milliseconds after which a worker without a sign of life is taken for lost. */
const LOCK = { COOP_TS_LOCK_MS: '1500' }
const MOST_MS = 120_000

async function killed({ child, ended }: Running): Promise<boolean> {
  child.kill('SIGKILL')
  await ended
  return child.signalCode === 'SIGKILL'
}

const killWorker: Mishap = async (play, random) => {
  const i = random.int(play.workers.length)
  const worker = play.workers[i]
  if (worker && play.kills < MOST_KILLS && (await killed(worker))) play.kills++
  play.workers[i] = play.startWorker()
  return 'a worker killed'
}

const starveWorker: Mishap = async (play, random) => {
  if (play.kills >= MOST_KILLS) return 'nothing'
  play.kills++
  const megabytes = 10 + random.int(20)
  await endOf(play.startWorker([`--max-old-space-size=${megabytes}`]), 15_000)
  return `a worker with ${megabytes} MB`
}

const killSweep: Mishap = async (play) => {
  if (play.kills < MOST_KILLS && (await killed(play.sweep))) play.kills++
  else return 'nothing'
  play.sweep = play.startSweep()
  return 'the sweep killed'
}

const later = (random: Random, most = 3000) => sleep(most * random.next())

/** What happens to Redis. */
const REDIS_MISHAPS: readonly Mishap[] = [
  async ({ redis }, random) => {
    const how = pick(random, ['SIGTERM', 'SIGKILL'] as const)
    await redis?.stop(how)
    await later(random)
    await redis?.start()
    return `Redis stopped (${how}) and started`
  },
  async ({ redis }) => {
    await redis?.flush()
    return 'Redis emptied'
  },
  async ({ redis }, random) => {
    redis?.freeze()
    await later(random, 5000)
    redis?.thaw()
    return 'Redis frozen for a while'
  },
  async ({ redis }, random) => {
    await redis?.redis.call('DEBUG', 'SLEEP', (2 * random.next()).toFixed(2)).catch(() => undefined)
    return 'Redis slow'
  },
  async ({ redis }) => {
    await redis?.redis.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => undefined)
    return 'connections to Redis cut'
  },
]

async function play(
  { world, folder }: Place,
  random: Random,
  mishaps: readonly Mishap[],
  redis: RedisServer | undefined,
): Promise<Attempt> {
  const reference = await works.referenceOf(works.SWEEP, world)
  const folders = works.foldersIn(folder, world)
  const way: Way = { cwd: folder, env: LOCK }
  const common = ['--threads', '1', '--cache', folders.cache]
  const coop = (words: readonly string[], node?: readonly string[]) =>
    start([world.program.coop, ...words], { ...way, node })
  const queue = redis === undefined ? [] : ['--queue', redis.url]
  const startSweep = () => coop(['sweep', world.plan, '--out', 'out', ...common, ...queue])
  const startWorker = (node?: readonly string[]) =>
    coop(['worker', ...(redis === undefined ? ['out'] : queue), ...common], node)
  const all: Play = { redis, sweep: startSweep(), workers: [], startSweep, startWorker, kills: 0 }
  // workers that share a folder need its list
  while (redis === undefined && all.sweep.child.exitCode === null && !(await exists(`${folders.out}/queue/list.jsonl`)))
    await sleep(20)
  all.workers.push(startWorker(), startWorker())
  const happened: string[] = []
  for (let left = 1 + random.int(4); left > 0 && all.sweep.child.exitCode === null; left--) {
    await later(random, reference.ms / 2)
    happened.push(await pick(random, mishaps)(all, random))
  }
  const end = await endOf(all.sweep, MOST_MS)
  const what = `${happened.join(', ')}`
  const lost = end.status === 0 ? differences(await resultOf(folders.out), reference.result) : []
  if (end.status !== 0) lost.push(lastWords(end))
  for (const { child } of all.workers) child.kill('SIGTERM')
  for (const worker of all.workers) {
    const { status, stderr } = await endOf(worker, 20_000)
    if (/bug in coop|^\s+at |hung/m.test(stderr)) lost.push(`a worker: status ${status}: ${stderr.slice(-400)}`)
  }
  return { what, kills: all.kills, lost }
}

export const workerFaults: readonly Fault[] = [
  {
    name: 'workers',
    about: 'kill -9 of workers that share the folder of a sweep and of the sweep, a worker with too little memory',
    attempt: (at, random) => play(at, random, [killWorker, starveWorker, killSweep], undefined),
  },
  {
    name: 'queue',
    about:
      'Redis stopped, emptied, frozen, slow, its connections cut, kill -9 of workers and sweep, a worker with too little memory',
    needs: ['redis'],
    async attempt(at, random) {
      const redis = await redisServer()
      try {
        return await play(at, random, [killWorker, starveWorker, killSweep, ...REDIS_MISHAPS], redis)
      } finally {
        await redis.remove()
      }
    },
  },
]
