import { spawn, spawnSync } from 'node:child_process'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLAIM } from '../node/claim.ts'
import { expectFailure, onlyJson } from '../testing/coop.ts'
import { coopProcess } from '../testing/coop-process.ts'
import { stepsTaken } from '../testing/kills.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const train = (run: string, epochs: number, ...more: readonly string[]) => {
  const settings = ['--model', world.model, '--shots', '2', '--context-length', '2', '--epochs', String(epochs)]
  return ['train', world.photos, ...settings, '--out', at(run), ...common(), ...more]
}
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )
const learning = async (run: string, steps = 20) => {
  while ((await stepsTaken(at(run))) < steps) await sleep(5)
}

describe('two processes in one folder', () => {
  it('of a run: the second is refused and disturbs nothing', async () => {
    const first = coopProcess(train('one', 8000))
    await learning('one')
    const others = ['--force', '--resume'].map((word) => coopProcess(train('one', 8000, word)))
    for (const ended of await Promise.all(others)) {
      expectFailure(ended, 1, /another process is working in .*one \(process \d+ on .*, since /)
    }
    expect(onlyJson(await first)).toMatchObject({ steps: 8000 })
    expect((await readFile(join(at('one'), 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').length).toBe(8000)
    expect(await readdir(at('one'))).not.toContain(CLAIM)
  })

  it('of a run, started at the same moment: one works', async () => {
    const both = await Promise.all([coopProcess(train('same', 800)), coopProcess(train('same', 800))])
    expect(both.map(({ status }) => status).sort()).not.toEqual([0, 0])
    expect(both.map(({ status }) => status)).toContain(0)
    expect((await readFile(join(at('same'), 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').length).toBe(800)
  })

  it('of a sweep: the second is refused, and no run fails', async () => {
    const methods = '[{method: coop, M: 2, epochs: 4000}]'
    const plan = `datasets: [photos]\nmodels: [model]\nmethods: ${methods}\nshots: [2]\nseeds: [1, 2]\n`
    await writeFile(at('plan.yaml'), plan)
    const sweep = ['sweep', at('plan.yaml'), '--out', at('sweep'), '--parallel', '1', ...common()]
    const first = coopProcess(sweep)
    await learning('sweep')
    expectFailure(await coopProcess(sweep), 1, /another process is working in .*sweep \(/)
    expect(onlyJson(await first)).toMatchObject({ finished: 2, failed: [] })
  })

  it('one after the other: what kill -9 left is taken over at once', async () => {
    const killed = await coopProcess(train('killed', 2000, '--resume'), async (child) => {
      await learning('killed')
      child.kill('SIGKILL')
    })
    expect(killed.status).toBe(null)
    await access(join(at('killed'), CLAIM))
    expect(onlyJson(await coopProcess(train('killed', 2000, '--resume')))).toMatchObject({ steps: 2000 })
  })
})

describe('Ctrl-C', () => {
  it('keeps a checkpoint, removes the claim, and says 130', async () => {
    const words = train('interrupted', 20_000)
    const ended = await coopProcess(words, async (child) => {
      await learning('interrupted', 50)
      child.kill('SIGINT')
    })
    expectFailure(ended, 130, /^interrupted$/)
    expect((await readdir(at('interrupted'))).sort()).toEqual([
      'checkpoint.safetensors',
      'metrics.jsonl',
      'settings.json',
    ])
  })

  it('ends a search', async () => {
    const search = ['--method', 'tip-adapter', '--set', 'betaSteps=10000', '--set', 'alphaSteps=200']
    const busy = [...search, '--test-share', '0.3'] // else there is nothing to choose by
    const words = ['train', world.photos, '--model', world.model, ...busy, '--shots', '2', '--out', at('search')]
    const ended = await coopProcess([...words, ...common()], async (child) => {
      while (child.exitCode === null && !(await isThere(join(at('search'), 'settings.json')))) await sleep(5)
      await sleep(300)
      child.kill('SIGINT')
    })
    expectFailure(ended, 130, /^interrupted$/)
    expect(await readdir(at('search'))).not.toContain('learned.safetensors')
  })

  const busy = fileURLToPath(new URL('../testing/busy-process.ts', import.meta.url))
  const node = [process.execPath, '--import', 'tsx', busy]
  /** How a process ends, and after how many of these signals, each of which comes so long after the one before. */
  async function endOf([command = '', ...words]: readonly string[], signals: readonly { after: number }[]) {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    const ended = new Promise<string | number | null>((resolve) =>
      child.on('exit', (status, signal) => resolve(signal ?? status)),
    )
    await new Promise((resolve) => child.stdout.once('data', resolve))
    for (const { after } of signals) {
      await sleep(after)
      process.kill(-(child.pid ?? 0), 'SIGINT')
    }
    return ended
  }

  it('pressed twice ends a process whose thread is busy', async () => {
    expect(await endOf([...node, 'spin'], [{ after: 0 }, { after: 500 }])).toBe('SIGINT')
  })

  it('pressed once, or twice, ends a process whose worker makes a session', async () => {
    expect(await endOf([...node, 'load'], [{ after: 500 }])).toBe('SIGINT')
    expect(await endOf([...node, 'load'], [{ after: 500 }, { after: 200 }])).toBe('SIGINT')
  })

  const alone = ['unshare', '--pid', '--fork', '--kill-child', '--']
  const canUnshare = spawnSync(alone[0] ?? '', [...alone.slice(1), 'true']).status === 0
  it.runIf(canUnshare)('ends the first process of a container, which the system does not end', async () => {
    const limited = [...alone, 'sh', '-c', 'ulimit -c 0; exec "$@"', 'sh', ...node]
    for (const signals of [[{ after: 500 }], [{ after: 500 }, { after: 200 }]]) {
      expect([134, 139, 'SIGABRT', 'SIGSEGV']).toContain(await endOf([...limited, 'load'], signals))
    }
  })
})
