import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { killed } from '../testing/kills.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import type { Job } from '../trained/job.ts'
import { runOne } from './run-one.ts'
import { readSavedRun } from './saved-run.ts'
import { jobsOf } from './sweep/jobs.ts'
import { readPlan } from './sweep/plan.ts'
import { sweep } from './sweep/sweep.ts'
import { train } from './train.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())
const at = (...path: readonly string[]) => join(world.root, ...path)
const common = () => ({ cache: at('cache'), threads: 1 })

async function jobs(name: string, methods: readonly string[]): Promise<Job[]> {
  const lines = ['datasets: photos', 'models: model', 'shots: 2', 'seeds: 1', 'views: 2', 'methods:', ...methods]
  await writeFile(at(name), `${lines.join('\n')}\n`)
  return jobsOf(await readPlan(at(name)))
}
const numbersOf = ({ seconds: _, environment: __, ...numbers }: Awaited<ReturnType<typeof runOne>>) => numbers

describe('a job', () => {
  it('is plain JSON that is done by itself, with the numbers that the sweep gives', async () => {
    const all = await jobs('plan.yaml', ['  - zero-shot', '  - { method: coop, M: 2, epochs: 4 }', '  - lp++'])
    const swept = await sweep(at('plan.yaml'), { ...common(), out: at('sweep') })
    expect(swept).toMatchObject({ runs: 3, finished: 3, failed: [] })
    for (const job of all) {
      const copy: Job = JSON.parse(JSON.stringify(job))
      const record = await runOne(copy, { ...common(), out: at('by-itself', job.id) })
      const kept = JSON.parse(await readFile(at('sweep/runs', job.id, 'results.json'), 'utf8'))
      expect(JSON.parse(JSON.stringify(numbersOf(record)))).toEqual(numbersOf(kept))
      const tensors = async (folder: string) => (await readSavedRun(folder)).tensors
      expect(await tensors(at('by-itself', job.id))).toEqual(await tensors(at('sweep/runs', job.id)))
    }
  })

  it('is cleared, where it was killed as it finished, of what a finished run does not keep', async () => {
    const [job] = await jobs('cleared.yaml', ['  - lp++'])
    if (job === undefined) throw new Error('the plan has a run')
    const run = at('cleared/runs', job.id)
    const again = [
      () => sweep(at('cleared.yaml'), { ...common(), out: at('cleared') }),
      () => runOne(job, { ...common(), out: run }),
    ]
    await again[0]?.()
    const kept = (await readdir(run)).sort()
    for (const goOn of again) {
      for (const name of ['checkpoint.safetensors', 'out-of-fold.safetensors', 'error.json'])
        await writeFile(join(run, name), 'left over')
      await goOn()
      expect((await readdir(run)).sort()).toEqual(kept)
    }
  })

  it('has the same record as `train`, field by field', async () => {
    const [job] = await jobs('one.yaml', ['  - { method: coop, M: 2, epochs: 4 }'])
    if (job === undefined) throw new Error('the plan has a run')
    const swept = await runOne(job, { ...common(), out: at('one') })
    const { run: _, ...trained } = await train(world.photos, {
      ...common(),
      model: world.model,
      shots: 2,
      views: 2,
      ...{ method: 'coop', settings: { M: 2, epochs: 4 }, calibrate: false, testShare: 0.3 },
      out: at('trained'),
    })
    expect(Object.keys(trained)).toEqual(Object.keys(swept))
    const { accuracy, zeroShot, loss, collapsed, steps, facts } = swept
    expect(trained).toMatchObject({ accuracy, zeroShot, loss, collapsed, steps, facts })
    expect(Object.keys(JSON.parse(await readFile(at('one/settings.json'), 'utf8')))).toEqual(
      Object.keys(JSON.parse(await readFile(at('trained/settings.json'), 'utf8'))),
    )
  })

  it('that has finished is read; a folder with another run is refused', async () => {
    const [coop, mean] = await jobs('two.yaml', ['  - { method: coop, M: 2, epochs: 2 }', '  - class-mean'])
    if (!coop || !mean) throw new Error('the plan has two runs')
    const record = await runOne(coop, { ...common(), out: at('two') })
    expect(await runOne(coop, { ...common(), out: at('two') })).toEqual(JSON.parse(JSON.stringify(record)))
    await expect(runOne(mean, { ...common(), out: at('two') })).rejects.toThrow(/holds another run/)
  })

  it('keeps nothing of a checkpoint of other pictures', async () => {
    const [job] = await jobs('swap.yaml', ['  - { method: coop, M: 2, epochs: 60, batchSize: 3 }'])
    if (job === undefined) throw new Error('the plan has a run')
    const stopped = runOne(
      job,
      { ...common(), out: at('swap'), checkpointSeconds: 0 },
      {
        onProgress: ({ kind, done }) => {
          if (kind === 'train' && done === 20) throw new Error('stopped here')
        },
      },
    )
    await expect(stopped).rejects.toThrow('stopped here')
    expect(await readdir(at('swap'))).toContain('checkpoint.safetensors')
    await rename(at('photos/red'), at('photos/other'))
    await rename(at('photos/blue'), at('photos/red'))
    await rename(at('photos/other'), at('photos/blue'))
    const again = await runOne(job, { ...common(), out: at('swap') })
    const fresh = await runOne(job, { ...common(), out: at('fresh') })
    expect(numbersOf(again)).toEqual(numbersOf(fresh))
    expect((await readSavedRun(at('swap'))).tensors).toEqual((await readSavedRun(at('fresh'))).tensors)
  })
})

it('a sweep of every method that learns in steps, killed at three moments, ends with the tensors of one left alone', {
  timeout: 180_000,
}, async () => {
  const methods = [
    '  - { method: coop, M: 2, epochs: 120 }',
    '  - { method: cocoop, M: 2, init: null, epochs: 40 }',
    '  - { method: kgcoop, M: 2, init: null, epochs: 120, batchSize: 3 }',
    '  - { method: clip-adapter, epochs: 120, batchSize: 3 }',
    '  - { method: tip-adapter-f, epochs: 120, batchSize: 3, alphaSteps: 2, betaSteps: 2 }',
    '  - { method: prolip, epochs: 120, batchSize: 3 }',
    '  - { method: lp++, iterations: 200 }',
  ]
  const all = await jobs('kills.yaml', methods)
  const work = (out: string) =>
    ({ kind: 'sweep', what: at('kills.yaml'), options: { ...common(), out: at(out), checkpointSeconds: 0 } }) as const
  const alone = await sweep(work('alone').what, work('alone').options)
  expect(alone).toMatchObject({ finished: 7, failed: [] })
  const moments = Array.from({ length: 3 }, () => Math.floor(1000 * Math.random())).sort((a, b) => a - b)
  await killed(work('killed'), at('killed'), moments)
  for (const { id } of all) {
    const of = async (sweep: string) => (await readSavedRun(at(sweep, 'runs', id))).tensors
    expect(await of('killed'), `${id}, killed at steps ${moments}`).toEqual(await of('alone'))
    const record = async (sweep: string) =>
      numbersOf(JSON.parse(await readFile(at(sweep, 'runs', id, 'results.json'), 'utf8')))
    expect(await record('killed')).toEqual(await record('alone'))
  }
})
