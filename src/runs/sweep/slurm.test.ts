import { spawn } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onlyJson } from '../../testing/coop.ts'
import { coopProcess } from '../../testing/coop-process.ts'
import { stepsTaken } from '../../testing/kills.ts'
import { type Slurm, slurmLack, startSlurm } from '../../testing/slurm.ts'
import { numbersOfSweep } from '../../testing/sweep-numbers.ts'
import { type TinyWorld, tinyWorld } from '../../testing/tiny-world.ts'
import { sweepStatus } from './status.ts'
import { sweep } from './sweep.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const METHOD = '  - { method: coop, M: 2, epochs: 1200, position: [end, front] }'
const PLAN = ['datasets: photos', 'models: model', 'methods:', METHOD, 'shots: 2', 'seeds: [1, 2]', 'views: 2']

/** Writes the script; returns where it is. */
async function emit(out: string): Promise<string> {
  await writeFile(at('plan.yaml'), PLAN.join('\n'))
  const words = ['sweep', at('plan.yaml'), '--out', out, '--cache', at('cache'), '--threads', '1', '--json']
  const { script } = Object.assign(
    { script: '' },
    onlyJson(await coopProcess([...words, '--emit', 'slurm', '--workers', '2'])),
  )
  return script
}

const serial = () => sweep(at('plan.yaml'), { out: at('serial'), cache: at('cache'), threads: 1 })

/** The script under a shell, as a task of SLURM runs it. */
function task(script: string) {
  const child = spawn('bash', [script], { stdio: 'ignore', cwd: '/' })
  return { child, ended: new Promise<number | null>((resolve) => child.on('close', resolve)) }
}

describe('the script of coop-ts sweep --emit slurm', () => {
  it('does the runs from any folder, stopped in time and started again, in a folder with a strange name', async () => {
    const out = at(`o'ut "of" $HOME %a\\`)
    await mkdir(out)
    const script = await emit(out)
    const first = task(script)
    while ((await stepsTaken(out)) === 0) await sleep(20)
    // what SLURM sends before the time is up
    first.child.kill('SIGUSR1')
    expect(await first.ended).toBe(143)
    const stopped = await sweepStatus(out)
    expect(stopped.running).toEqual([])
    expect(stopped.waiting).toBeGreaterThan(0)
    expect(await readdir(join(out, 'runs'), { recursive: true })).toContainEqual(
      expect.stringMatching(/checkpoint\.safetensors$/),
    )
    expect(await task(script).ended).toBe(0)
    await serial()
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(at('serial')))
  })
})

const missing = process.env.COOP_LONG ? slurmLack() : 'it is tried in the long form: COOP_LONG=1'

describe.skipIf(missing !== undefined)(`on a SLURM of one node (${missing ?? 'it is here'})`, () => {
  let slurm: Slurm
  beforeAll(async () => {
    slurm = await startSlurm()
  })
  afterAll(() => slurm.stop())

  /** Waits until a job is in one of these states, or gone. */
  async function until(job: string, ...states: readonly string[]): Promise<void> {
    for (;;) {
      const found = await slurm.command('squeue', '--noheader', '--format=%T', '--jobs', job).catch(() => '')
      if (found === '' || found.split('\n').every((state) => states.includes(state))) return
      await sleep(200)
    }
  }
  const restarts = async (job: string) =>
    [...(await slurm.command('scontrol', 'show', 'job', job)).matchAll(/Restarts=(\d+)/g)].map(([, n]) => Number(n))

  it('a task whose time is up goes back into the queue with checkpoints, and the numbers are the same', async () => {
    const out = at('a "limit"')
    const job = await slurm.command('sbatch', '--parsable', await emit(out))
    while ((await stepsTaken(out)) === 0) await sleep(50)
    // the warning that SLURM sends before the time is up
    await slurm.command('scancel', '--batch', '--signal=USR1', job)
    await until(job)
    expect(Math.max(...(await restarts(job)))).toBeGreaterThan(0)
    await serial()
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(at('serial')))
  })

  it('a task that is requeued, as a preempted one is, keeps a checkpoint and goes on', async () => {
    const out = at('requeued')
    const job = await slurm.command('sbatch', '--parsable', await emit(out))
    while ((await stepsTaken(out)) === 0) await sleep(50)
    await slurm.command('scontrol', 'requeue', `${job}_0`)
    await until(job)
    expect(Math.max(...(await restarts(job)))).toBe(1)
    expect(await numbersOfSweep(out)).toEqual(await numbersOfSweep(at('serial')))
  })

  it('a cancelled job does not come back, and keeps checkpoints', async () => {
    const out = at('cancelled')
    const job = await slurm.command('sbatch', '--parsable', await emit(out))
    while ((await stepsTaken(out)) === 0) await sleep(50)
    await slurm.command('scancel', job)
    await until(job)
    expect(await restarts(job)).toEqual([0, 0])
    expect(await sweepStatus(out)).toMatchObject({ running: [], aside: [] })
  })
})
