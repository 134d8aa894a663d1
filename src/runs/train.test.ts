import { cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError, UsageError } from '../base/errors.ts'
import { openSealed, writeSealed } from '../formats/sealed.ts'
import { METHODS } from '../methods/index.ts'
import { fileSource } from '../node/files.ts'
import { encodePng } from '../node/image.ts'
import { killed } from '../testing/kills.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { readTensors } from '../trained/learned.ts'
import { evaluateRun } from './evaluate.ts'
import { readSavedRun } from './saved-run.ts'
import { type TrainOptions, train } from './train.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const options = (out: string, changes: TrainOptions = {}): TrainOptions => ({
  model: world.model,
  cache: at('cache'),
  threads: 1,
  shots: 2,
  method: 'coop',
  out: at(out),
  settings: { M: 2, epochs: 8, batchSize: 3, learningRate: 0.05 },
  ...changes,
})
const STEPS = 16

const json = async (...path: readonly string[]) => JSON.parse(await readFile(at(...path), 'utf8'))
const metrics = async (out: string) =>
  (await readFile(at(out, 'metrics.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const learned = async (out: string) => (await readSavedRun(at(out))).tensors

/** Trains until so many steps are taken, with a checkpoint after each. */
async function stopped(out: string, after: number, changes: TrainOptions = {}, data = world.photos): Promise<void> {
  const stop = new AbortController()
  const onProgress = ({ kind, done }: { kind: string; done: number }) =>
    kind === 'train' && done === after && stop.abort(new Error('enough'))
  const given = options(out, { checkpointSeconds: 0, signal: stop.signal, ...changes })
  await expect(train(data, given, { onProgress })).rejects.toThrow('enough')
}

describe('a run', () => {
  it('leaves settings, a line a step, what was learned and what it is worth', async () => {
    const result = await train(world.photos, options('plain'))
    const files = ['learned.safetensors', 'metrics.jsonl', 'out-of-fold.safetensors', 'results.json', 'settings.json']
    expect((await readdir(at('plain'))).sort()).toEqual(files)
    const { run, ...record } = result
    expect(run).toBe(at('plain'))
    const { environment, ...written } = await json('plain', 'results.json')
    expect({ ...written, environment: { ...environment, sha256: undefined } }).toEqual({ ...record })
    expect(record).toMatchObject({ method: 'coop', shots: 2, steps: STEPS, classes: 3, title: 'CoOp, end, M=2' })
    const lines = await metrics('plain')
    expect(lines.map(({ step, epoch }) => [step, epoch])).toEqual(
      Array.from({ length: STEPS }, (_, i) => [i + 1, Math.floor(i / 2) + 1]),
    )
    expect(lines[2]).toEqual({
      step: 3,
      epoch: 2,
      learningRate: 0.05,
      loss: expect.any(Number),
      gradientNorm: expect.any(Number),
    })
    const losses = lines.map(({ loss }) => loss)
    expect(record.loss).toEqual({ first: (losses[0] + losses[1]) / 2, last: (losses[14] + losses[15]) / 2 })
    expect(await json('plain', 'settings.json')).toMatchObject({
      method: 'coop',
      settings: { M: 2, recipe: 'paper', warmup: 'constant' },
      shots: 2,
      seed: 1,
      views: 4,
      classNames: ['blue', 'green', 'red'],
      images: { train: expect.stringMatching(/^\w{64}$/), val: expect.any(String), test: expect.any(String) },
    })
  })

  it('has its metrics while it learns', async () => {
    await stopped('meanwhile', 9, { settings: { M: 2, epochs: 400, batchSize: 3 } })
    const lines = await metrics('meanwhile')
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThanOrEqual(9)
  })

  it('is not overwritten unless asked; a finished one is read on resume, not done again', async () => {
    const first = await train(world.photos, options('twice'))
    await expect(train(world.photos, options('twice'))).rejects.toThrow(/there is already a run in/)
    const { mtimeMs } = await stat(at('twice', 'learned.safetensors'))
    expect(await train(world.photos, options('twice', { resume: true }))).toEqual({ ...first, before: true })
    expect((await stat(at('twice', 'learned.safetensors'))).mtimeMs).toBe(mtimeMs)
    const again = await train(world.photos, options('twice', { force: true, seed: 2 }))
    expect(again.seed).toBe(2)
  })

  it('does not go on by another method, with other settings, pictures or another model, and says which', async () => {
    await train(world.photos, options('other'))
    const resumed = (changes: TrainOptions, data = world.photos) =>
      train(data, options('other', { resume: true, ...changes }))
    await expect(resumed({ method: 'lp++', settings: {} })).rejects.toThrow(/uses the method coop, not lp\+\+/)
    await expect(resumed({ seed: 3 })).rejects.toThrow(/ seed: 1 then, 3 now/)
    await expect(resumed({ settings: { M: 3 } })).rejects.toThrow(UsageError)
    await expect(resumed({ model: world.otherModel })).rejects.toThrow(/ model: /)
    await cp(world.photos, at('changed'), { recursive: true })
    for (let i = 0; i < 10; i++) await cp(at('changed/red', `${i}.png`), at('changed/blue', `${i}.png`))
    await expect(resumed({}, at('changed'))).rejects.toThrow(/ train: /)
  })

  it('that was stopped goes on to the very same numbers', async () => {
    await train(world.photos, options('alone'))
    for (const after of [1, 7, 15]) {
      const out = `stopped-${after}`
      await stopped(out, after)
      expect(await readdir(at(out))).toContain('checkpoint.safetensors')
      await expect(readSavedRun(at(out))).rejects.toThrow(/not finished/)
      await train(world.photos, options(out, { resume: true }))
      expect(await learned(out)).toEqual(await learned('alone'))
      expect(await metrics(out)).toEqual(await metrics('alone'))
      expect(await readdir(at(out))).not.toContain('checkpoint.safetensors')
    }
  })

  it('that draws its views anew in each epoch was stopped twice, and ends with the same numbers', async () => {
    const online = { views: 'online', settings: { M: 2, epochs: 6, batchSize: 3 } } as const
    await train(world.photos, options('online-alone', online))
    await stopped('online', 5, online)
    await stopped('online', 9, { ...online, resume: true })
    await train(world.photos, options('online', { ...online, resume: true }))
    expect(await learned('online')).toEqual(await learned('online-alone'))
    expect(await metrics('online')).toEqual(await metrics('online-alone'))
  })

  it('begun again with other pictures, another model or other settings keeps nothing of its checkpoint', async () => {
    await cp(world.photos, at('mixed'), { recursive: true })
    for (let i = 0; i < 10; i++) await cp(at('mixed/green', `${i}.png`), at('mixed/red', `${i}.png`))
    const changes: readonly (readonly [TrainOptions, string])[] = [
      [{}, at('mixed')],
      [{ model: world.otherModel }, world.photos],
      [{ seed: 5 }, world.photos],
    ]
    for (const [i, [change, data]] of changes.entries()) {
      await stopped(`kept-${i}`, 9)
      await train(data, options(`kept-${i}`, { ...change, force: true }))
      await train(data, options(`fresh-${i}`, change))
      expect(await learned(`kept-${i}`), `${i}`).toEqual(await learned(`fresh-${i}`))
      expect(await metrics(`kept-${i}`)).toHaveLength(STEPS)
    }
  })

  it('does not go on from a damaged checkpoint, nor from that of another run', async () => {
    await stopped('damaged', 5)
    await stopped('strange', 5, { seed: 9 })
    const checkpoint = at('damaged', 'checkpoint.safetensors')
    await cp(at('strange', 'checkpoint.safetensors'), checkpoint)
    const resumed = () => train(world.photos, options('damaged', { resume: true }))
    await expect(resumed()).rejects.toThrow(/is a checkpoint of another run/)
    await truncate(checkpoint, (await stat(checkpoint)).size - 10)
    await expect(resumed()).rejects.toThrow(FileError)
  })

  it('is refused as damaged when one bit of what it learned, or of its checkpoint, is another one', async () => {
    await train(world.photos, options('bits'))
    await stopped('bits-stopped', 5)
    const uses = [
      [
        at('bits', 'learned.safetensors'),
        () => evaluateRun(at('bits'), world.photos, { cache: at('cache'), threads: 1 }),
      ],
      [
        at('bits-stopped', 'checkpoint.safetensors'),
        () => train(world.photos, options('bits-stopped', { resume: true })),
      ],
    ] as const
    for (const [file, use] of uses) {
      const bytes = await readFile(file)
      for (let i = 0; i < 24; i++) {
        const flipped = Buffer.from(bytes)
        flipped[Math.floor((i * bytes.length) / 24)]! ^= 1 << (i % 8)
        await writeFile(file, flipped)
        const error = await use().catch((thrown: unknown) => thrown)
        expect(error, `${file}, byte ${i} of 24`).toBeInstanceOf(FileError)
        expect(error).toMatchObject({ remedy: expect.stringMatching(/--force/) })
      }
      await writeFile(file, bytes)
      await use()
    }
  })

  it('counts the seconds before a stop', async () => {
    await stopped('slow', 3)
    const file = at('slow', 'checkpoint.safetensors')
    const kept = await openSealed(await fileSource(file))
    expect(Number(kept.metadata.get('seconds'))).toBeGreaterThan(0)
    // as if it had been learning for long
    const about = { run: kept.metadata.get('run') ?? '', seconds: '9999' }
    await writeFile(file, await writeSealed(await readTensors(kept), about))
    const result = await train(world.photos, options('slow', { resume: true }))
    expect(result.seconds).toBeGreaterThan(9999)
  })
})

describe('what a run is worth', () => {
  it('is at chance where all pictures look alike, which is said', async () => {
    const grey = await encodePng({ width: 9, height: 9, data: new Uint8Array(243).fill(90) })
    await cp(world.photos, at('grey'), { recursive: true })
    for (const name of ['blue', 'green', 'red'])
      for (let i = 0; i < 10; i++) await writeFile(at('grey', name, `${i}.png`), grey)
    const warnings: string[] = []
    const result = await train(at('grey'), options('at-chance'), { onWarning: (text) => warnings.push(text) })
    expect(result.collapsed).toBe(true)
    expect(warnings).toEqual([
      'CoOp, end, M=2 is learned 3 times: from all training pictures, and 2 times without a part of them, to measure it',
      expect.stringMatching(/CoOp, end, M=2 ended at chance/),
    ])
  })

  it('is not at chance where pictures are told apart, though the loss did not fall, which is said', async () => {
    const warnings: string[] = []
    const method = 'tip-adapter-f'
    const settings = { epochs: 12, learningRate: 1e-12 }
    const given = options('told-apart', { method, settings, shots: 5, views: 0 })
    const result = await train(world.photos, given, { onWarning: (text) => warnings.push(text) })
    expect(result.accuracy).toBeGreaterThan(0.6)
    expect(result.collapsed).toBe(false)
    expect(warnings).toEqual([expect.stringMatching(/the loss did not fall/)])
  })
})

describe('a run that is killed', () => {
  const METHODS_IN_STEPS: Readonly<Record<string, object>> = {
    coop: { M: 2, epochs: 150, batchSize: 3 },
    cocoop: { M: 2, init: null, epochs: 60 },
    kgcoop: { M: 2, init: null, epochs: 150, batchSize: 3 },
    'clip-adapter': { epochs: 150, batchSize: 3 },
    clap: { epochs: 150, batchSize: 3 },
    'tip-adapter-f': { epochs: 150, batchSize: 3, alphaSteps: 2, betaSteps: 2 },
    prolip: { epochs: 150, batchSize: 3 },
    'lp++': { iterations: 400 },
  }

  it('is of every method that learns in steps', () => {
    const names = METHODS.filter(({ settings }) =>
      /epochs|iterations/.test(JSON.stringify(Object(settings.parse({})))),
    ).map(({ name }) => name)
    expect(names.filter((name) => METHODS_IN_STEPS[name] === undefined)).toEqual([])
  })

  it.each(Object.entries(METHODS_IN_STEPS))(
    '%s: at a random moment, ends with the tensors of one left alone',
    { timeout: 120_000 },
    async (method, settings) => {
      const of = (out: string) => options(out, { method, settings, checkpointSeconds: 0, resume: true })
      const { steps } = await train(world.photos, of(`${method}-alone`))
      const moment = Math.floor(steps * 0.8 * Math.random())
      const work = { kind: 'train', what: world.photos, options: { ...of(`${method}-killed`) } } as const
      await killed(work, at(`${method}-killed`), [moment])
      expect(await learned(`${method}-killed`), `killed at step ${moment}`).toEqual(await learned(`${method}-alone`))
      expect(await metrics(`${method}-killed`)).toEqual(await metrics(`${method}-alone`))
      expect((await readdir(at(`${method}-killed`))).filter((name) => name.endsWith('.tmp'))).toEqual([])
    },
  )
})
