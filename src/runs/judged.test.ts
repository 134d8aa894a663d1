import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSealed } from '../formats/sealed.ts'
import { argmaxRows } from '../learning/vectors.ts'
import { fileSource } from '../node/files.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { readTensors } from '../trained/learned.ts'
import { imageRows } from '../trained/pictures.ts'
import { classifyImages, evaluateRun, evaluateZeroShot } from './evaluate.ts'
import { openModel } from './model.ts'
import { openRun } from './open-run.ts'
import { encodeSets } from './pictures.ts'
import { readSavedRun } from './saved-run.ts'
import { type TrainOptions, train } from './train.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const shared = () => ({ model: world.model, cache: at('cache'), threads: 1 })
const quick = (out: string, changes: TrainOptions = {}): TrainOptions => ({
  ...shared(),
  ...{ method: 'tip-adapter', views: 0, out: at(out), ...changes },
})
const asked = () => ({ cache: at('cache'), threads: 1 })
const COLOURS = ['blue', 'green', 'red'] as const

/** A folder of pictures, so many of each class; `others` of one more colour in `_other/`. */
async function photos(
  name: string,
  counts: Readonly<Record<string, readonly [colour: string, from: number, to: number]>>,
) {
  for (const [folder, [colour, from, to]] of Object.entries(counts)) {
    await mkdir(at(name, folder), { recursive: true })
    for (let i = from; i < to; i++) await cp(at('photos', colour, `${i}.png`), at(name, folder, `${i}.png`))
  }
  return at(name)
}

const judgedFile = async (out: string) =>
  readTensors(await openSealed(await fileSource(at(out, 'out-of-fold.safetensors'))))

describe('a folder without test/', () => {
  it('is learned from whole, and its accuracy is that of learners that had not seen the picture', async () => {
    const result = await train(world.photos, quick('whole'))
    expect(result).toMatchObject({ measured: 'cross-validated', trained: 30, tested: 30, chance: 1 / 3 })
    const { logits, folds } = Object.fromEntries(await judgedFile('whole'))
    expect(new Set(folds?.data)).toEqual(new Set([1, 2, 3, 4, 5]))
    const answers = logits ? argmaxRows(logits) : []
    const right = answers.filter((c, i) => c === Math.floor(i / 10)).length
    expect(result.accuracy).toBe(right / 30)
    const perClass = Object.values(result.perClass ?? {})
    expect(perClass.reduce((a, b) => a + b, 0) / 3).toBeCloseTo(right / 30, 12)
    expect(result.interval?.[0]).toBeLessThan(right / 30)
    expect(result.interval?.[1]).toBeGreaterThan(result.interval?.[0] ?? 1)
    // hand-written prompts on the very same pictures
    expect(result.zeroShot).toBe((await evaluateZeroShot(world.photos, shared())).accuracy)
  })

  it('says chance of what cannot be learned, though the learner knows every picture it has seen', async () => {
    const same = { a: ['blue', 0, 5], b: ['blue', 5, 10] } as const
    const data = await photos('same', same)
    const settings = { C: 1e9 }
    const result = await train(data, quick('same-run', { method: 'linear-probe', settings }))
    const run = await openRun(at('same-run'), { threads: 1 })
    const seen = await run.classify([0, 1, 2, 3, 4].map((i) => at('same/a', `${i}.png`)))
    await run.dispose()
    expect(seen.map(([first]) => first?.label)).toEqual(['a', 'a', 'a', 'a', 'a'])
    expect(result.accuracy).toBeLessThan(0.9)
    expect(result.worth?.calibration.temperature).toBeGreaterThan(1)
  })

  it('learns from a class of a single picture, and says that it is not measured', async () => {
    const warnings: string[] = []
    const onWarning = (text: string) => warnings.push(text)
    const data = await photos('single', { a: ['blue', 0, 6], b: ['green', 0, 2], c: ['red', 0, 1] })
    expect(await train(data, quick('single-run'), { onWarning })).toMatchObject({ trained: 9, tested: 8 })
    expect(warnings).toEqual([expect.stringMatching(/of c there is a single picture: learned from, not measured/)])
    const alone = await photos('alone', { a: ['blue', 0, 1], b: ['green', 0, 1] })
    const nothing = {
      measured: 'nothing',
      trained: 2,
      tested: 0,
      accuracy: null,
      interval: null,
      zeroShot: null,
      worth: null,
    }
    expect(await train(alone, quick('alone-run'), { onWarning })).toMatchObject(nothing)
    expect(warnings.at(-1)).toMatch(/each class has a single picture to learn from: nothing can be measured/)
    expect((await readSavedRun(at('alone-run'))).trust).toBeUndefined()
  })

  it('withholds a share where one is asked for, and tests on test/ where it is there', async () => {
    expect(await train(world.photos, quick('share', { testShare: 0.3 }))).toMatchObject({
      ...{ measured: 'test', tested: 9, worth: { calibration: { on: 'test' }, sets: { on: 'test' } } },
    })
    // which pictures are for testing depends on no seed: evaluate would else test what was learned
    const drawn = async (out: string) => JSON.parse(await readFile(at(out, 'settings.json'), 'utf8')).pictures.test
    await train(world.photos, quick('share-2', { testShare: 0.3, seed: 2 }))
    expect(await drawn('share-2')).toBe(await drawn('share'))
    const none = { measured: 'nothing', trained: 30, tested: 0, accuracy: null, zeroShot: null }
    expect(await train(world.photos, quick('zero', { method: 'class-mean', testShare: 0 }))).toMatchObject(none)
    for (const part of ['train', 'test']) await cp(world.photos, at('parted', part), { recursive: true })
    expect(await train(at('parted'), quick('marked'))).toMatchObject({ measured: 'test', trained: 30, tested: 30 })
    await rm(at('parted/test'), { recursive: true })
    expect(await train(at('parted'), quick('train-alone'))).toMatchObject({ measured: 'cross-validated', tested: 30 })
  })

  it('is evaluated on what the run learned from as it was cross-validated; on other pictures, on these', async () => {
    const { accuracy, tested, perClass, worth } = await train(world.photos, quick('again', { sets: 0.7 }))
    const known = await evaluateRun(at('again'), world.photos, asked())
    expect(known).toMatchObject({ measured: 'cross-validated', accuracy, tested, perClass, sets: worth?.sets })
    const other = await evaluateRun(at('again'), world.photos, { ...asked(), sets: 0.7, reject: 0 })
    expect(other).toMatchObject({ accuracy, sets: worth?.sets, reject: { answered: 1, accuracy } })
    expect(await evaluateRun(at('again'), world.photos, { ...asked(), testShare: 1 })).not.toHaveProperty('measured')
    await cp(world.photos, at('moved'), { recursive: true })
    expect(await evaluateRun(at('again'), at('moved'), asked())).toMatchObject({ measured: 'cross-validated' })
    await cp(at('moved/red/1.png'), at('moved/red/again.png'))
    const refused = /moved has no test images, and .*again withheld none of the pictures that it learned from/
    await expect(evaluateRun(at('again'), at('moved'), asked())).rejects.toThrow(refused)
  })

  it('measures what learns from no picture on all of them', async () => {
    const result = await train(world.photos, quick('hand-written', { method: 'zero-shot' }))
    expect(result).toMatchObject({ measured: 'test', trained: 0, tested: 30, worth: null })
    expect(result.accuracy).toBe(result.zeroShot)
    const asks = quick('hand-written-sets', { method: 'zero-shot', sets: 0.9 })
    await expect(train(world.photos, asks)).rejects.toThrow(/zero-shot learned without/)
  })

  it('was stopped between two folds, and ends with the very same numbers', async () => {
    const options = { method: 'coop', settings: { M: 2, epochs: 4, batchSize: 6 }, checkpointSeconds: 0 }
    const alone = await train(world.photos, quick('folds-alone', options))
    expect(alone).toMatchObject({ measured: 'cross-validated', tested: 30 })
    const stop = new AbortController()
    let learned = 0
    const onProgress = ({ kind, done }: { kind: string; done: number }) => {
      if (kind === 'folds' && done % 100 === 0 && ++learned === 2) stop.abort(new Error('enough'))
    }
    const out = quick('folds-stopped', { ...options, signal: stop.signal })
    await expect(train(world.photos, out, { onProgress })).rejects.toThrow('enough')
    const before = await judgedFile('folds-stopped')
    expect(before.get('folds')?.data.filter((fold) => fold === 0)).toHaveLength(10)
    const { mtimeMs } = await stat(at('folds-stopped/out-of-fold.safetensors'))
    const folds: number[] = []
    const again = await train(world.photos, quick('folds-stopped', { ...options, resume: true }), {
      onProgress: ({ kind, done }) => kind === 'folds' && folds.push(done),
    })
    // only the third was learned again
    expect(Math.min(...folds)).toBeGreaterThan(200)
    expect((await stat(at('folds-stopped/out-of-fold.safetensors'))).mtimeMs).toBeGreaterThan(mtimeMs)
    expect(await judgedFile('folds-stopped')).toEqual(await judgedFile('folds-alone'))
    expect(again.worth).toEqual(alone.worth)
    const [a, b] = await Promise.all(
      ['folds-alone', 'folds-stopped'].map((run) => readFile(at(run, 'learned.safetensors'))),
    )
    expect(b?.equals(a ?? Buffer.of())).toBe(true)
  })
})

describe('probabilities of a run', () => {
  it('are calibrated wherever they are given, and logits are raw', async () => {
    await train(world.photos, quick('calibrated', { settings: { alpha: 30, beta: 20 } }))
    const { trust } = await readSavedRun(at('calibrated'))
    const T = trust?.temperature ?? 1
    expect(Math.abs(Math.log(T))).toBeGreaterThan(0.1)
    const file = at('photos/red/1.png')
    const run = await openRun(at('calibrated'), { threads: 1 })
    expect(run.temperature).toBe(T)
    const [labels = []] = await run.classify([file])
    const [asked] = await classifyImages(at('calibrated'), [file], { cache: at('cache'), threads: 1, top: 3 }, {})
    expect(asked?.labels).toEqual(labels)
    // differences of log probabilities are those of raw logits, divided by the temperature
    const { clip } = await openModel(world.model, {})
    const runtime = await nodeRuntime({ threads: 1 })
    const items = [{ path: file, label: 0, turned: true }]
    const [images] = await encodeSets(clip, runtime, [{ items }], { cache: at('cache') })
    const { data } = await run.logits(imageRows(images))
    await runtime.close()
    const p = (name: string) => labels.find(({ label }) => label === name)?.probability ?? Number.NaN
    for (const [a, b] of [
      [0, 1],
      [0, 2],
    ] as const) {
      const logOdds = Math.log(p(COLOURS[a]) / p(COLOURS[b]))
      expect(logOdds).toBeCloseTo(((data[a] ?? 0) - (data[b] ?? 0)) / T, 3)
    }
    await run.dispose()
  })

  it('of a run without them are those of softmax(logits)', async () => {
    await train(world.photos, quick('plain', { method: 'zero-shot' }))
    const run = await openRun(at('plain'), { threads: 1 })
    expect(run.temperature).toBe(1)
    const [labels = []] = await run.classify([at('photos/red/1.png')])
    expect(run.decide(labels)).toEqual({ label: labels[0]?.label, set: undefined })
    await run.dispose()
    await expect(openRun(at('plain'), { threads: 1, sets: 0.9 })).rejects.toThrow(/no out-of-fold probabilities/)
  })
})

describe('pictures of no class', () => {
  it('in _other/ are never a class, and choose the threshold of "none of these", which goes with the run', async () => {
    const data = await photos('strange', { blue: ['blue', 0, 8], green: ['green', 0, 8], _other: ['red', 0, 6] })
    const result = await train(data, quick('strange-run'))
    expect(result).toMatchObject({
      classes: 2,
      trained: 16,
      tested: 16,
      worth: { reject: { by: '_other', others: 6 } },
    })
    const threshold = result.worth?.reject?.threshold ?? -1
    expect((await readSavedRun(at('strange-run'))).trust?.reject).toBe(threshold)
    const ask = (reject?: number) =>
      classifyImages(at('strange-run'), [at('photos/red'), at('photos/blue')], { ...asked(), top: 1, reject }, {})
    const decided = await ask()
    expect(decided.map(({ none }) => none)).toEqual(
      decided.map(({ labels }) => (labels[0]?.probability ?? 0) < threshold),
    )
    const share = (await ask()).filter(({ none, file }) => none && file.includes('_other')).length
    expect(share).toBe(0)
    expect((await ask(0)).every(({ none }) => none === false)).toBe(true)
    expect((await ask(1)).every(({ none, labels }) => none === (labels[0]?.probability ?? 0) < 1)).toBe(true)
    for (const wrong of [2, -0.1, Number.NaN])
      await expect(ask(wrong)).rejects.toThrow(/reject must be a number from 0 to 1/)
    // other pictures of no class are others of the run
    await rm(at('strange/_other/0.png'))
    await expect(train(data, quick('strange-run', { resume: true }))).rejects.toThrow(/ other: "6 /)
  })

  it('in test/_other are what the threshold is tested on', async () => {
    const data = await photos('strange-parts', {
      ...{ 'train/blue': ['blue', 0, 5], 'train/green': ['green', 0, 5], 'train/_other': ['red', 0, 5] },
      ...{ 'test/blue': ['blue', 5, 10], 'test/green': ['green', 5, 10], 'test/_other': ['red', 5, 9] },
    })
    const { worth } = await train(data, quick('strange-parts-run'))
    expect(worth?.reject).toMatchObject({ on: 'test', others: 4 })
    const evaluated = await evaluateRun(at('strange-parts-run'), data, { ...asked(), sets: 0.5 })
    expect(evaluated.reject).toMatchObject({
      answered: worth?.reject?.answered,
      rejected: worth?.reject?.rejected,
      others: 4,
    })
    expect(evaluated.sets).toMatchObject({ coverage: 0.5, reached: expect.any(Number) })
  })

  it('may be left out of what is answered by a rate of wrong answers', async () => {
    const result = await train(world.photos, quick('rate', { errorRate: 0.2 }))
    const { by, answered = 0, accuracy = 0 } = result.worth?.reject ?? {}
    expect(by).toBe('error rate')
    if (answered > 0) expect(accuracy).toBeGreaterThanOrEqual(0.8)
    for (const errorRate of [0, 1, 1.5]) {
      await expect(train(world.photos, quick('rate', { errorRate }))).rejects.toThrow(
        /errorRate must be a number above 0/,
      )
    }
  })

  it('alone, or beside a single class, are refused', async () => {
    const data = await photos('only', { _other: ['red', 0, 3] })
    await expect(train(data, quick('only-run'))).rejects.toThrow(/has no class folders but only _other\//)
    await photos('only', { blue: ['blue', 0, 3] })
    await expect(train(data, quick('only-run'))).rejects.toThrow(
      /only one class, "blue"; the pictures in _other\/ are of no class/,
    )
  })
})

describe('label sets', () => {
  it('go with a run that was asked for them, and are checked', async () => {
    const result = await train(world.photos, quick('sets', { sets: 0.8 }))
    expect(result.worth?.sets).toMatchObject({ on: 'cross-validated', coverage: 0.8 })
    expect(result.worth?.sets.reached).toBeGreaterThanOrEqual(0.7)
    const files = [at('photos/green/2.png')]
    const [kept] = await classifyImages(at('sets'), files, { ...asked(), top: 1 }, {})
    expect(kept?.set?.[0]).toBe(kept?.labels[0]?.label)
    const [all] = await classifyImages(at('sets'), files, { ...asked(), top: 1, sets: 0.99 }, {})
    // 30 pictures are too few for 99 %
    expect(all?.set).toHaveLength(3)
    for (const sets of [0, 1, 1.5]) {
      await expect(classifyImages(at('sets'), files, { ...asked(), top: 1, sets }, {})).rejects.toThrow(
        /sets must be a number above 0/,
      )
      await expect(train(world.photos, quick('sets-wrong', { sets }))).rejects.toThrow(/sets must be a number above 0/)
    }
  })
})

describe('bad folders', () => {
  it('of equal pictures end at chance, and say so', async () => {
    const one = await readFile(at('photos/red/0.png'))
    for (const name of ['x', 'y', 'z']) {
      await mkdir(at('equal', name), { recursive: true })
      for (let i = 0; i < 5; i++) await writeFile(at('equal', name, `${i}.png`), one)
    }
    for (const method of ['tip-adapter', 'lp++', 'class-mean', 'linear-probe']) {
      const result = await train(at('equal'), quick(`equal-${method}`, { method }))
      expect(result, method).toMatchObject({ measured: 'cross-validated', tested: 15, collapsed: true })
      expect(result.accuracy, method).toBeLessThanOrEqual(1 / 3)
      if (method === 'lp++') continue // its logits of equal pictures depend on how many there are
      // sure of nothing: as good as even
      const run = await openRun(at(`equal-${method}`), { threads: 1 })
      const [labels] = await run.classify([at('equal/x/0.png')])
      await run.dispose()
      expect(labels?.[0]?.probability, method).toBeLessThan(0.6)
    }
  })

  it('of one class with many and others with two give an answer with its chance', async () => {
    for (const name of ['many', 'two', 'pair']) await mkdir(at('odd', name), { recursive: true })
    for (const colour of COLOURS)
      for (const file of await readdir(at('photos', colour)))
        await cp(at('photos', colour, file), at('odd/many', `${colour}-${file}`))
    for (const name of ['two', 'pair'])
      for (let i = 0; i < 2; i++) await cp(at('photos/green', `${i}.png`), at('odd', name, `${i}.png`))
    const result = await train(at('odd'), quick('odd-run'))
    expect(result).toMatchObject({ trained: 34, tested: 34, chance: 30 / 34, measured: 'cross-validated' })
  })
})
