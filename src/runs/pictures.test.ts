import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { imageEncoder } from '../clip/encode.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { RgbImage } from '../clip/types.ts'
import type { Item } from '../data/items.ts'
import { floatTensor } from '../graph/tensor.ts'
import { encodePng } from '../node/image.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Views } from '../pictures/views.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip, tinyResNetConfig } from '../testing/tiny-clip.ts'
import { toyClasses } from '../testing/toy-task.ts'
import { imageRows, openOnlineViews, pictureSet } from '../trained/pictures.ts'
import { encodeSets, pictureReader } from './pictures.ts'

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

const encode = async (views: Views, options = {}) =>
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

it('the same cache keeps turned pictures and the same unturned apart', async () => {
  const cache = join(root, 'turned')
  const path = join(root, 'phone.jpg')
  const { data, width, height } = noise(40, 24, 9)
  await sharp(data, { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(path)
  const seen = async (turned: boolean) =>
    (await encodeSets(clip, runtime, [{ items: [{ path, label: 0, turned }] }], { cache }))[0].features
  const [turned, unturned] = [await seen(true), await seen(false)]
  expect(turned).not.toEqual(unturned)
  expect([await seen(true), await seen(false)]).toEqual([turned, unturned])
})

it('the image tower is loaded for pictures that are not in the cache, and only then', async () => {
  const cache = join(root, 'towers')
  const loaded: string[] = []
  const counting: Runtime = {
    ...runtime,
    async load(program) {
      const session = await runtime.load(program)
      // the last projection has a program of its own
      if (program.inputs[0]?.outputs[0]?.shape.length !== 4) return session
      loaded.push('loaded')
      return { ...session, dispose: () => session.dispose().finally(() => loaded.push('disposed')) }
    },
  }
  const sets = [{ items: items.slice(0, 4) }, pictureSet(items, 1, 1)] as const
  const first = await encodeSets(clip, counting, sets, { cache })
  expect(loaded).toEqual(['loaded', 'disposed'])
  expect(await encodeSets(clip, counting, sets, { cache })).toEqual(first)
  const { dispose } = await openOnlineViews(pictureReader(), clip, counting, items, 1)
  await dispose()
  expect(loaded).toHaveLength(2)
})

it.each([
  ['ViT', clip],
  ['ResNet', await tinyClip(tinyResNetConfig())],
] as const)(
  'features of a %s are to the last digit what its projection makes of those before it, cached or not',
  async (name, clip) => {
    const sets = [pictureSet(items, 3, 1)] as const
    const [found] = await encodeSets(clip, runtime, sets)
    const { features, trunk } = found
    expect(trunk.shape).toEqual([6, 3, trunkWidth(clip.config)])
    const cache = join(root, `projected ${name}`)
    const [alone] = await encodeSets(clip, runtime, [pictureSet(items.slice(2, 3), 3, 1)], { cache })
    expect(alone.features.data).toEqual(features.data.slice(features.data.length / 3, features.data.length / 2))
    for (let i = 0; i < 2; i++) expect(await encodeSets(clip, runtime, sets, { cache })).toEqual([found])
    const encoder = imageEncoder(clip, runtime, 32)
    expect(await encoder.project(trunk.data)).toEqual(features.data)
    await encoder.dispose()
    const [plain] = await encodeSets(clip, runtime, [{ items }], { cache })
    expect(imageRows(plain)).toEqual(floatTensor([6, clip.config.embedDim], plain.features.data))
    expect(imageRows(plain, 'trunk')).toEqual(floatTensor([6, trunkWidth(clip.config)], plain.trunk.data))
  },
)

it('a set has a key of its pictures, labels and views', async () => {
  const relabelled = items.map((item) => ({ ...item, label: 0 }))
  const sets = [pictureSet(items, 0, 1), pictureSet(relabelled, 0, 1), pictureSet(items, 2, 1), pictureSet(items, 2, 2)]
  const keys = async (transforms?: '2021-09') =>
    (await encodeSets(clip, runtime, sets, { transforms })).map(({ key }) => key)
  const all = [...(await keys()), ...(await keys('2021-09'))]
  expect(new Set(all).size).toBe(8)
  expect(await keys()).toEqual(all.slice(0, 4))
})

it('views drawn anew are others in each epoch and for each seed, and the same when asked for again', async () => {
  const drawn = async (seed: number) => {
    const { online, dispose } = await openOnlineViews(pictureReader(), clip, runtime, items, seed)
    const found = [await online.features(0), await online.features(1), await online.features(0)]
    expect((await online.trunk?.(1))?.shape).toEqual([items.length, 1, trunkWidth(clip.config)])
    await dispose()
    return { key: online.key, found }
  }
  const { key, found } = await drawn(1)
  expect(found[2]).toEqual(found[0])
  expect(found[1]).not.toEqual(found[0])
  const other = await drawn(2)
  expect(other.found[0]).not.toEqual(found[0])
  expect(other.key).not.toBe(key)
})
