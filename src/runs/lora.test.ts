import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Progress } from '../base/progress.ts'
import { imageEncoder } from '../clip/encode.ts'
import { loadClip } from '../clip/load.ts'
import { featureFeeds } from '../learning/batches.ts'
import { type AnyMethod, defineMethod } from '../methods/index.ts'
import { folderModelFiles } from '../node/files.ts'
import { decodeImage } from '../node/image.ts'
import type { Views } from '../pictures/views.ts'
import { engine } from '../testing/engine.ts'
import { lora } from '../testing/lora.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import type { Job } from '../trained/job.ts'
import { openOnlineViews, pictureSet } from '../trained/pictures.ts'
import { pixelSource } from '../trained/pixels.ts'
import { classifyImages, evaluateRun } from './evaluate.ts'
import { openInputs } from './inputs.ts'
import { jobId } from './job.ts'
import { openRun } from './open-run.ts'
import { encodeSets, pictureReader } from './pictures.ts'
import { runOne } from './run-one.ts'
import { readSavedRun } from './saved-run.ts'
import { sweep } from './sweep/sweep.ts'
import { type TrainOptions, train } from './train.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld(6)
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const settings = { epochs: 6, batchSize: 3, learningRate: 0.03 }

/** A run, and the numbers of the steps that it took this time. */
async function learn(out: string, options: TrainOptions = {}, stopAfter = Number.POSITIVE_INFINITY) {
  const stop = new AbortController()
  const steps: number[] = []
  const onProgress = ({ kind, done }: Progress) => {
    if (kind !== 'train') return
    steps.push(done)
    if (done >= stopAfter) stop.abort(new Error('stopped'))
  }
  const record = await train(
    world.photos,
    {
      method: lora,
      settings,
      shots: 2,
      testShare: 0.3,
      model: world.model,
      cache: at('cache'),
      threads: 1,
      out: at(out),
      checkpointSeconds: 0,
      signal: stop.signal,
      ...options,
    },
    { onProgress },
  )
  return { record, steps }
}

const tensorsOf = async (run: string, method: AnyMethod = lora) => (await readSavedRun(at(run), [method])).tensors

describe('a run of a method that looks at pixels', () => {
  it.each<Views>([0, 2, 'online'])('stopped and resumed ends as one left alone: views %s', async (views) => {
    const { record: whole } = await learn(`whole-${views}`, { views })
    expect(whole).toMatchObject({ method: 'lora', views, steps: 12 })
    const stopped = `stopped-${views}`
    await expect(learn(stopped, { views }, 5)).rejects.toThrow('stopped')
    expect(await readdir(at(stopped))).toContain('checkpoint.safetensors')
    await expect(learn(stopped, { views, resume: true }, 8)).rejects.toThrow('stopped')
    const { record: resumed, steps } = await learn(stopped, { views, resume: true })
    expect(steps).toEqual([9, 10, 11, 12])
    expect(await tensorsOf(stopped)).toEqual(await tensorsOf(`whole-${views}`))
    expect(resumed).toMatchObject({ accuracy: whole.accuracy, loss: whole.loss })
  })

  it('is opened with its method, and gives a path, bytes and a decoded picture the same answer', async () => {
    await learn('open')
    const path = join(world.photos, 'red', '0.png')
    const run = await openRun(at('open'), { methods: [lora], threads: 1 })
    const bytes = new Uint8Array(await readFile(path))
    const [a, b, c] = await run.classify([path, bytes, await decodeImage(path)])
    await expect(run.logits({ dtype: 'float32', shape: [0, 10], data: new Float32Array() })).rejects.toThrow(/pixels/)
    const files = Array.from({ length: 70 }, (_, i) =>
      join(world.photos, ['red', 'green', 'blue'][i % 3] ?? '', '1.png'),
    )
    const many = await run.classify(files)
    await run.dispose()
    expect(a?.map(({ label }) => label).sort()).toEqual(['blue', 'green', 'red'])
    expect([b, c]).toEqual([a, a])
    await expect(openRun(at('open'), { threads: 1 })).rejects.toThrow(/learned by the method "lora", which/)

    const asked = { methods: [lora], top: 3, threads: 1, cache: at('cache') }
    const done: number[] = []
    const onProgress = (event: Progress) => event.kind === 'evaluate' && done.push(event.done)
    const found = await classifyImages(at('open'), files, asked, { onProgress })
    expect(found).toEqual(files.map((file, i) => ({ file, labels: many[i] })))
    expect(done).toEqual([32, 64, 70])
  })

  it('is measured again as when it was learned', async () => {
    const { accuracy } = (await learn('measured')).record
    const asked = { methods: [lora], threads: 1, cache: at('cache') }
    expect(await evaluateRun(at('measured'), world.photos, asked, {})).toMatchObject({ accuracy })
    const transferred = await evaluateRun(at('measured'), world.photos, { ...asked, transfer: true }, {})
    expect(transferred).toMatchObject({ accuracy })
  })

  it('may have templates of its own kind, and the name of another method', async () => {
    const method = defineMethod({
      name: 'zero-shot',
      summary: 'another',
      source: 'this file',
      pictures: 'pixels',
      settings: z.strictObject({ templates: z.int() }),
      title: () => 'another',
      transfers: () => false,
      learn: (task, _, options) => lora.learn(task, settings, options),
      classifier: (classes, _, learned) => lora.classifier(classes, {}, learned),
    })
    await learn('named', { method, settings: { templates: 3 } })
    expect((await tensorsOf('named', method)).size).toBeGreaterThan(0)
  })
})

describe('a job of a method that looks at pixels', () => {
  const jobOf = (changes: Partial<Job>): Job => {
    const job = {
      dataset: 'photos',
      model: 'model',
      method: 'lora',
      title: 'LoRA',
      settings,
      shots: 2,
      seed: 1,
      views: 'online',
      transforms: '2021-10',
      split: 'all',
      elsewhere: [],
      paths: { photos: world.photos, model: world.model },
      ...changes,
    } satisfies Omit<Job, 'id'>
    return { id: jobId(job), ...job }
  }
  const inputs = () => openInputs({ cache: at('job-cache') })
  const run = (out: string, job: Job, shared = inputs(), methods = [lora]) =>
    runOne(job, { out: at(out), methods, runtime: engine, inputs: shared })

  it('is done with views drawn for each epoch, whatever was encoded before it', async () => {
    const first = await run('online', jobOf({}))
    expect(first).toMatchObject({ method: 'lora', views: 'online', steps: 12 })
    const shared = inputs()
    const probe = jobOf({ method: 'class-mean', title: 'class mean', settings: {}, views: 2 })
    const before = await run('probe-before', probe, shared)
    await run('online-again', jobOf({}), shared)
    const after = await run('probe-after', probe, shared)
    expect(await tensorsOf('online-again')).toEqual(await tensorsOf('online'))
    expect(await tensorsOf('probe-after')).toEqual(await tensorsOf('probe-before'))
    expect(after).toMatchObject({ accuracy: before.accuracy, zeroShot: before.zeroShot })
    await run('fixed', jobOf({ views: 2 }), shared)
    expect(await tensorsOf('fixed')).not.toEqual(await tensorsOf('online'))
  })

  it('is not given the pictures of another of the same words', async () => {
    const other = at('other/photos')
    // the same names of classes, each with the pictures of the next
    for (const [from, to] of [
      ['red', 'green'],
      ['green', 'blue'],
      ['blue', 'red'],
    ] as const) {
      await cp(join(world.photos, from), join(other, to), { recursive: true })
    }
    const shared = inputs()
    await run('here', jobOf({}), shared)
    const elsewhere = jobOf({ paths: { photos: other, model: world.model } })
    await run('there', elsewhere, shared)
    await run('there-alone', elsewhere)
    expect(await tensorsOf('there')).toEqual(await tensorsOf('there-alone'))
  })

  it('is measured elsewhere: with other class names, or where it cannot, among its own', async () => {
    const elsewhere = { elsewhere: ['again'], paths: { photos: world.photos, again: world.photos, model: world.model } }
    const bound: AnyMethod = { ...lora, name: 'bound', transfers: () => false }
    for (const method of [lora, bound]) {
      const record = await run(`elsewhere-${method.name}`, jobOf({ ...elsewhere, method: method.name }), inputs(), [
        bound,
        lora,
      ])
      expect(record.elsewhere).toEqual({ again: record.accuracy })
    }
  })
})

it('a sweep runs it by its name in the plan', async () => {
  const plan = ['datasets: photos', 'models: model', 'methods: [zero-shot, { method: lora, epochs: 2 }]', 'shots: 1']
  await writeFile(at('plan.yaml'), [...plan, 'seeds: 1', 'views: online'].join('\n'))
  const options = { methods: [lora], out: at('sweep'), cache: at('sweep-cache'), parallel: 1, threads: 1 }
  expect(await sweep(at('plan.yaml'), options)).toMatchObject({ runs: 2, finished: 2, failed: [] })
})

it.each<Views>([0, 2, 'online'])('pixels of an epoch are those that features are of: views %s', async (views) => {
  const clip = await loadClip(folderModelFiles(world.model))
  const items = ['red', 'green', 'blue'].map((name, label) => ({ path: join(world.photos, name, '0.png'), label }))
  const [set] = await encodeSets(clip, engine, [pictureSet(items, views, 1)])
  const drawn = views === 'online' ? await openOnlineViews(pictureReader(), clip, engine, items, 1) : undefined
  const feeds = featureFeeds(set, drawn?.online)
  const source = pixelSource(pictureReader(), clip, items, views, 1, {})
  const encoder = imageEncoder(clip, engine, 2)
  for (const epoch of [0, 1, 2]) {
    const some = [1, 0]
    const { data } = await source.pixels(some, epoch)
    const pictures = some.map((_, i) => data.subarray((i * data.length) / 2, ((i + 1) * data.length) / 2))
    const features = await encoder.encode(pictures)
    const { features: fed } = await feeds.of(some, epoch)
    expect(fed?.data.length).toBe(features.length)
    for (const [i, x] of features.entries()) expect(x).toBeCloseTo(Number(fed?.data[i]), 4)
  }
  await feeds.close?.()
  await encoder.dispose()
  await drawn?.dispose()
})
