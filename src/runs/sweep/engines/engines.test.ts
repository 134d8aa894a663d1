import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { coop, onlyJson } from '../../../testing/coop.ts'
import { NODE } from '../../../testing/coop-process.ts'
import { begin as beginWork } from '../../../testing/kills.ts'
import { hasRedis, type RedisServer, redisServer } from '../../../testing/redis-server.ts'
import { type Slurm, slurmLack, startSlurm } from '../../../testing/slurm.ts'
import { numbersOfSweep } from '../../../testing/sweep-numbers.ts'
import { type TinyWorld, tinyWorld } from '../../../testing/tiny-world.ts'
import { listFile } from '../list.ts'
import { type SweepStatus, sweepStatus } from '../status.ts'
import { sweep } from '../sweep.ts'

let world: TinyWorld
let slurm: Slurm | undefined
let redis: RedisServer | undefined
beforeAll(async () => {
  // a lost worker of a queue is missed after so long
  vi.stubEnv('COOP_TS_LOCK_MS', '1500')
  world = await tinyWorld()
  if (hasRedis) redis = await redisServer()
  if (slurmMissing === undefined) slurm = await startSlurm()
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await slurm?.stop()
  await redis?.remove()
  await world.remove()
})

const at = (name: string) => join(world.root, name)
const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`)
const cache = () => ['--cache', at('cache')]

/** A sweep under way on an engine. */
interface Begun {
  /** Waits until nobody works on it any more. */
  ended(): Promise<void>
}

interface Row {
  readonly name: string
  /** Why it cannot be tried here. */
  readonly missing?: string
  /** Begins a plan with two workers. */
  begin(plan: string, out: string): Promise<Begun>
}

/** Processes of `coop-ts`; they have ended when all have. */
function processes(...each: readonly (readonly string[])[]) {
  const children = each.map((words) => spawn(process.execPath, [...NODE, ...words], { stdio: 'ignore' }))
  const ends = children.map((child: ChildProcess) => new Promise<void>((resolve) => child.on('close', () => resolve())))
  const ended = async () => void (await Promise.all(ends))
  const stop = async () => {
    for (const child of children) child.kill('SIGTERM')
    await ended()
  }
  return { ended, stop }
}

const EVERY = { checkpointSeconds: 0.2 }

const folder: Row = {
  name: 'workers that share a folder',
  async begin(plan, out) {
    await sweep(at(plan), { ...EVERY, out: at(out), cache: at('cache'), emit: 'slurm' })
    const worker = ['worker', at(out), ...cache(), '--threads', '1']
    return processes(worker, worker)
  },
}

const slurmMissing = process.env.COOP_LONG ? slurmLack() : 'it is tried in the long form: COOP_LONG=1'

/** The script as `coop-ts sweep --emit slurm` writes it, on a SLURM of one node. */
const onSlurm: Row = {
  name: 'SLURM',
  missing: slurmMissing,
  async begin(plan, out) {
    const words = ['sweep', at(plan), '--out', at(out), ...cache(), '--threads', '1', '--emit', 'slurm']
    await processes([...words, '--workers', '2']).ended()
    await moreCheckpoints(listFile(at(out)))
    const job = await slurm?.command('sbatch', '--parsable', join(at(out), 'queue', 'sweep.sbatch'))
    return {
      async ended() {
        while (await slurm?.command('squeue', '--noheader', '--jobs', job ?? '').catch(() => '')) await sleep(500)
      },
    }
  },
}

/** No flag says how often a checkpoint is kept. */
async function moreCheckpoints(list: string): Promise<void> {
  const [head = '', ...jobs] = (await readFile(list, 'utf8')).split('\n')
  await writeFile(list, [JSON.stringify({ ...JSON.parse(head), ...EVERY }), ...jobs].join('\n'))
}

const local: Row = {
  name: 'one process',
  async begin(plan, out) {
    const options = { ...EVERY, out: at(out), cache: at('cache'), threads: 2, parallel: 2 }
    const { ended } = beginWork({ kind: 'sweep', what: at(plan), options })
    return { ended: async () => void (await ended) }
  },
}

const onRedis: Row = {
  name: 'Redis',
  missing: hasRedis ? undefined : 'redis-server is not installed here',
  async begin(plan, out) {
    const queue = redis?.url ?? ''
    const worker = ['worker', '--queue', queue, ...cache(), '--threads', '1']
    const { stop } = processes(worker, worker)
    const { ended } = beginWork({
      kind: 'sweep',
      what: at(plan),
      options: { ...EVERY, out: at(out), cache: at('cache'), queue },
    })
    return {
      async ended() {
        await ended
        await stop()
      },
    }
  },
}

const ENGINES = [local, folder, onRedis, onSlurm]

const METHODS = ['methods:', '  - zero-shot', '  - { method: coop, M: 2, epochs: 20, position: [end, front] }']
const PLAN = ['datasets: photos', 'models: model', ...METHODS, 'shots: [1, 2]', 'seeds: 1', 'views: 2']
const SLOW = PLAN.map((line) => line.replace('epochs: 20', 'epochs: 600'))

/** Steps of a run after which it is killed; checkpoints are some tens of steps apart. */
const FAR = 250

const numbersOf = (out: string) => numbersOfSweep(at(out))

const serial = (plan: string, out: string) => sweep(at(plan), { out: at(out), cache: at('cache'), threads: 1 })

async function until(out: string, holds: (found: SweepStatus) => boolean): Promise<SweepStatus> {
  for (;;) {
    const found = await sweepStatus(at(out)).catch(() => undefined)
    if (found && holds(found)) return found
    await sleep(50)
  }
}

describe.each(ENGINES)('a sweep on $name', ({ name, missing, begin }) => {
  if (missing !== undefined) {
    it.skip(`is not tried: ${missing}`, () => {})
    return
  }
  const out = (what: string) => `${what} of ${name}`

  it("does all runs of a plan, with the serial sweep's numbers to the last digit", async () => {
    await write('plan.yaml', PLAN)
    await serial('plan.yaml', 'serial')
    const begun = await begin('plan.yaml', out('all'))
    await begun.ended()
    expect(await numbersOf(out('all'))).toEqual(await numbersOf('serial'))
    expect(await sweepStatus(at(out('all')))).toMatchObject({ runs: 5, done: 5, running: [], waiting: 0, aside: [] })
  })

  it('sets a run aside that fails, at once or after three attempts, and goes on with the others', async () => {
    await write(
      'wild.yaml',
      PLAN.map((line) => line.replace('epochs: 20', 'learningRate: [2e-3, 1e30], epochs: 5')),
    )
    await (await begin('wild.yaml', out('wild'))).ended()
    const { done, aside } = await sweepStatus(at(out('wild')))
    expect(done).toBe(5)
    expect(aside).toHaveLength(4)
    for (const { error, attempts } of aside)
      expect({ error, attempts }).toMatchObject({ error: expect.stringMatching(/training failed/), attempts: 1 })

    // it is there, so that no check refuses it
    await write('damaged.csv', [
      'path,label,split',
      ...['a', 'b'].flatMap((label) => [`damaged.png,${label},train`, `damaged.png,${label},test`]),
    ])
    await writeFile(at('damaged.png'), 'no picture')
    await write(
      'damaged.yaml',
      PLAN.map((line) => line.replace('datasets: photos', 'datasets: [damaged.csv, photos]')),
    )
    await (await begin('damaged.yaml', out('damaged'))).ended()
    const after = await sweepStatus(at(out('damaged')))
    expect(after).toMatchObject({ runs: 10, done: 5 })
    for (const { attempts } of after.aside) expect(attempts).toBe(3)
  })

  it('takes over a run whose process was killed, from its checkpoint, and ends with the same numbers', async () => {
    await write('slow.yaml', SLOW)
    await serial('slow.yaml', 'slow serial')
    const begun = await begin('slow.yaml', out('killed'))
    const steps = async (id: string) =>
      (await readFile(join(at(out('killed')), 'runs', id, 'metrics.jsonl'), 'utf8')).split('\n').length - 1
    const { id, pid } = await (async () => {
      for (;;) {
        const { running } = await until(out('killed'), ({ running }) => running.length > 0)
        for (const run of running) if ((await steps(run.id).catch(() => 0)) >= FAR) return run
        await sleep(20)
      }
    })()
    process.kill(pid ?? 0, 'SIGKILL')
    const then = await steps(id)
    let fewest = then
    let over = false
    const watched = (async () => {
      for (; !over; await sleep(5)) fewest = Math.min(fewest, await steps(id).catch(() => then))
    })()
    await begun.ended()
    // a sweep that was alone has nobody who takes over
    if ((await sweepStatus(at(out('killed')))).done < 5) await (await begin('slow.yaml', out('killed'))).ended()
    over = true
    await watched
    expect(fewest).toBeGreaterThan(FAR / 10)
    expect(await numbersOf(out('killed'))).toEqual(await numbersOf('slow serial'))
  })

  it('begins no run while it is paused, goes on when told so, and stops when it is cancelled', async () => {
    const words = (word: string) => coop('sweep', word, at(out('held')), '--json')
    // enough of them that some are left when those under way have ended
    await write(
      'held.yaml',
      SLOW.map((line) => line.replace('seeds: 1', 'seeds: [1, 2, 3]')),
    )
    await serial('held.yaml', 'held serial')
    const begun = await begin('held.yaml', out('held'))
    await until(out('held'), ({ running }) => running.length > 0)
    expect(onlyJson(await words('pause'))).toMatchObject({ state: 'paused' })
    // by when every engine has heard of it: between two runs nothing is running either
    await sleep(1000)
    const paused = await until(out('held'), ({ running }) => running.length === 0)
    expect(paused.waiting).toBeGreaterThan(0)
    await sleep(1500)
    expect(await sweepStatus(at(out('held')))).toMatchObject({ done: paused.done, running: [] })

    expect(onlyJson(await words('resume'))).toMatchObject({ state: 'going' })
    await until(out('held'), ({ running }) => running.length > 0)
    expect(onlyJson(await words('cancel'))).toMatchObject({ state: 'cancelled' })
    await begun.ended()
    const cancelled = await sweepStatus(at(out('held')))
    expect(cancelled).toMatchObject({ state: 'cancelled', running: [], aside: [] })
    expect(cancelled.waiting).toBeGreaterThan(0)

    await (await begin('held.yaml', out('held'))).ended()
    expect(await numbersOf(out('held'))).toEqual(await numbersOf('held serial'))
  })
})
