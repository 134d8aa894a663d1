import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import type { RgbImage } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import { encodePng } from '../node/image.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip } from '../testing/tiny-clip.ts'
import { toyClasses, toySettings } from '../testing/toy-task.ts'
import { encodeSets, openOnlineViews, pictureSet } from './pictures.ts'
import { trainInFolder } from './run.ts'

const clip = await tinyClip()
let runtime: Runtime
let root: string
let items: Item[]
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
  root = await mkdtemp(join(tmpdir(), 'coop-pictures-'))
  items = Array.from({ length: 6 }, (_, i) => ({ path: join(root, `${i}.png`), label: i % toyClasses.length }))
  await Promise.all(items.map(async ({ path }, i) => writeFile(path, await encodePng(noise(40, 24, i)))))
})
afterAll(async () => {
  await runtime.close()
  await rm(root, { recursive: true, force: true })
})

function noise(width: number, height: number, seed: number): RgbImage {
  const random = randomFor('picture', seed)
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.int(256)) }
}

const encode = async (views: number | 'online', options = {}) =>
  (await encodeSets(clip, runtime, [pictureSet(items, views, 1)], options))[0].features

it('one set has so many views, or the images as they are', async () => {
  const { embedDim } = clip.config
  expect((await encode(3)).shape).toEqual([6, 3, embedDim])
  const plain = await encode(0)
  expect(plain.shape).toEqual([6, 1, embedDim])
  expect(await encode('online')).toEqual(plain)
})

it('the same cache keeps pictures cut in two ways apart', async () => {
  const cache = join(root, 'cache')
  for (const views of [0, 2]) {
    const today = await encode(views, { cache })
    const before = await encode(views, { cache, transforms: '2021-09' })
    expect(before).not.toEqual(today)
    expect(await encode(views, { cache, transforms: '2021-10' })).toEqual(today)
    expect(await encode(views, { cache, transforms: '2021-09' })).toEqual(before)
  }
})

describe('views drawn anew for each epoch', () => {
  /** A run that is stopped after so many steps, where it is. */
  async function run(folder: string, seed: number, stopAfter = Number.POSITIVE_INFINITY) {
    const [{ features, labels }] = await encodeSets(clip, runtime, [{ items }])
    const { online, dispose } = await openOnlineViews(clip, runtime, items, seed)
    const settings = { ...toySettings, batchSize: 3, epochs: 8 }
    const task = { clip, runtime, classNames: toyClasses, set: { features, labels }, online, settings }
    const stop = new AbortController()
    const onProgress = ({ done }: { done: number }) => done >= stopAfter && stop.abort(new Error('stopped'))
    const options = { resume: true, checkpointSeconds: 0, onProgress, signal: stop.signal }
    return trainInFolder(join(root, folder), task, options).finally(dispose)
  }

  it('are the same for a run that was stopped twice as for one left alone, bit for bit', async () => {
    const whole = await run('whole', 1)
    await expect(run('stopped', 1, 5)).rejects.toThrow('stopped')
    await expect(run('stopped', 1, 11)).rejects.toThrow('stopped')
    const resumed = await run('stopped', 1)
    expect(resumed.losses).toEqual(whole.losses)
    expect(resumed.prompt.ctx).toEqual(whole.prompt.ctx)
  })

  it('are others in each epoch and for each seed, and a run does not go on with those of another', async () => {
    const { online, dispose } = await openOnlineViews(clip, runtime, items, 1)
    const [one, two, again] = [await online.features(0), await online.features(1), await online.features(0)]
    await dispose()
    expect(again).toEqual(one)
    expect(two).not.toEqual(one)
    await run('seeds', 1)
    await expect(run('seeds', 2)).rejects.toThrow(/images: /)
  })
})
