import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../base/errors.ts'
import { randomFor } from '../base/random.ts'
import { bundledClip } from '../lab/bundled-clip.ts'
import { decodeImage } from '../node/image.ts'
import { listFolder } from '../node/list-folder.ts'
import { bundledSamples } from '../node/package.ts'
import { prepared } from '../pictures/prepare.ts'
import { engine } from '../testing/engine.ts'
import { tinyClip, tinyConfig } from '../testing/tiny-clip.ts'
import { imageEncoder } from './encode.ts'
import type { Clip } from './types.ts'

const vit = await tinyClip(tinyConfig({}, { width: 64, heads: 4, layers: 2, mlpWidth: 128 }))
const resNet = await bundledClip()

const noise = ({ config: { preprocess } }: Clip, n: number) =>
  Array.from({ length: n }, (_, i) => {
    const { normal } = randomFor('int8', i)
    return Float32Array.from({ length: 3 * preprocess.size ** 2 }, normal)
  })

/** Sixteen of the sample pictures, as the bundled model takes them. */
async function drawings(): Promise<Float32Array[]> {
  const root = join(bundledSamples(), 'sports', 'test')
  const { folders } = await listFolder(root)
  const all = await Promise.all(
    folders.map(async (folder) => (await listFolder(join(root, folder))).files.map((file) => join(root, folder, file))),
  )
  const how = { config: resNet.config.preprocess, transforms: '2021-10' } as const
  return Promise.all(
    all
      .flat()
      .slice(0, 16)
      .map(async (file) => prepared(await decodeImage(file), how, undefined)),
  )
}

const samples = await drawings()

async function encoded(clip: Clip, images: readonly Float32Array[], precision: 'float32' | 'int8', batch = 4) {
  const encoder = imageEncoder(clip, engine, batch, precision)
  try {
    const all = await encoder.encode(images)
    const width = clip.config.embedDim
    return images.map((_, i) => all.subarray(i * width, (i + 1) * width))
  } finally {
    await encoder.dispose()
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

describe('the image tower in 8 bits', () => {
  it.each([
    ['vision transformer', vit, noise(vit, 8), 0.999],
    ['trained ResNet', resNet, samples, 0.97],
  ] as const)('of a %s gives nearly the features of float32, and other digits', async (_, clip, images, least) => {
    const [exact, rounded] = [await encoded(clip, images, 'float32'), await encoded(clip, images, 'int8')]
    const cosines = exact.map((row, i) => cosine(row, rounded[i] ?? new Float32Array()))
    expect(Math.min(...cosines)).toBeGreaterThan(least)
    expect(rounded).not.toEqual(exact)
  })

  it.each([
    ['vision transformer', vit],
    ['ResNet', resNet],
  ] as const)('of a %s gives a picture the same digits, whatever the others are', async (_, clip) => {
    const images = noise(clip, 4)
    const louder = images.map((image, i) => (i === 1 ? image : image.map((x) => 3 * x)))
    const [first, second] = [await encoded(clip, images, 'int8'), await encoded(clip, louder, 'int8')]
    expect(second[1]).toEqual(first[1])
    expect(second[0]).not.toEqual(first[0])
  })

  it('is refused by another name', () => {
    const wrong: unknown = 'int4'
    expect(() => Reflect.apply(imageEncoder, undefined, [vit, engine, 4, wrong])).toThrow(UsageError)
  })
})
