import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ShapeError } from '../base/errors.ts'
import { CLIP_MEAN, CLIP_STD } from '../clip/config/index.ts'
import type { RgbImage } from '../clip/types.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { fileSource } from '../node/files.ts'
import { decodeImage } from '../node/image.ts'
import { crop, flipHorizontal, preprocess, resizeAndCenterCrop } from './preprocess.ts'
import { resize } from './resize.ts'
import { TRANSFORMS } from './transforms.ts'

const fixture = (file: string) => fileURLToPath(new URL(`fixtures/${file}`, import.meta.url))
const config = { size: 32, mean: CLIP_MEAN, std: CLIP_STD }

describe('equals torchvision on Pillow images', () => {
  const levels = z
    .object({ 'small.png': z.base64(), 'palette.png': z.base64() })
    .parse(JSON.parse(readFileSync(fixture('pixels.json'), 'utf8')))

  it.each(Object.entries(levels))('%s', async (file, base64) => {
    const expected = Buffer.from(base64, 'base64')
    const pixels = preprocess(await decodeImage(fixture(file)), config)
    expect(pixels.length).toBe(expected.length)
    for (const [i, value] of pixels.entries()) {
      const channel = Math.floor(i / (32 * 32))
      const normal = (expected[i]! / 255 - CLIP_MEAN[channel]!) / CLIP_STD[channel]!
      expect(Math.abs(value - normal), `value ${i}`).toBeLessThan(1e-5)
    }
  })

  const golden = fileURLToPath(new URL('../../../shared/golden', import.meta.url))
  it.skipIf(!existsSync(golden))('the whole golden folder (skipped where it is missing)', async () => {
    const features = await openSafetensors(await fileSource(`${golden}/features.safetensors`))
    const { names } = z
      .object({ names: z.array(z.string()) })
      .parse(JSON.parse(readFileSync(`${golden}/images.json`, 'utf8')))
    for (const [model, size] of [
      ['vit', 32],
      ['rn', 64],
    ] as const) {
      const { data } = await features.readFloat(`${model}.pixels`)
      const length = 3 * size * size
      for (const [row, name] of names.entries()) {
        const pixels = preprocess(await decodeImage(`${golden}/images/${name}`), { ...config, size })
        const worst = pixels.reduce((max, value, i) => Math.max(max, Math.abs(value - data[row * length + i]!)), 0)
        expect(worst, `${model} ${name}`).toBeLessThan(1e-6)
      }
    }
  })
})

const images = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
      .map((data): RgbImage => ({ width, height, data })),
  )

it('resizes the short side, cuts the long one to whole pixels, takes the middle', () => {
  fc.assert(
    fc.property(images, fc.integer({ min: 1, max: 9 }), (image, size) => {
      const short = Math.min(image.width, image.height)
      const width = Math.floor((size * image.width) / short)
      const height = Math.floor((size * image.height) / short)
      const even = (half: number) => (half % 1 === 0.5 ? 2 * Math.round(half / 2) : half)
      const expected = crop(
        resize(image, width, height),
        even((width - size) / 2),
        even((height - size) / 2),
        size,
        size,
      )
      expect(resizeAndCenterCrop(image, size)).toEqual(expected)
    }),
  )
})

it('takes an image of extreme shape without making the whole of it', () => {
  const thin = { width: 1, height: 60_000, data: new Uint8Array(180_000).fill(9) }
  expect(resizeAndCenterCrop(thin, 224).data.every((level) => level === 9)).toBe(true)
})

it('flipping twice gives the image back, once mirrors it', () => {
  fc.assert(
    fc.property(images, (image) => {
      expect(flipHorizontal(flipHorizontal(image))).toEqual(image)
    }),
  )
  const row = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) }
  expect([...flipHorizontal(row).data]).toEqual([4, 5, 6, 1, 2, 3])
})

it('crops, black outside', () => {
  const image = { width: 2, height: 2, data: Uint8Array.from({ length: 12 }, (_, i) => i + 1) }
  expect([...crop(image, 1, 0, 1, 2).data]).toEqual([4, 5, 6, 10, 11, 12])
  expect([...crop(image, -1, 1, 2, 2).data]).toEqual([0, 0, 0, 7, 8, 9, 0, 0, 0, 0, 0, 0])
  expect([...crop(image, 5, 5, 1, 1).data]).toEqual([0, 0, 0])
})

it('refuses an image whose data do not fit its size', () => {
  expect(() => preprocess({ width: 3, height: 2, data: new Uint8Array(17) }, config)).toThrow(ShapeError)
  expect(() => preprocess({ width: 0, height: 2, data: new Uint8Array(0) }, config)).toThrow(ShapeError)
})

it('a model that squashes: both sides are resized, as Pillow does', () => {
  const [width, height] = [11, 5]
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    return (37 * x + 11 * y * y + 50 * c + 5 * x * y) % 256
  })
  const expected = [
    36, 88, 145, 147, 182, 172, 110, 77, 86, 78, 139, 179, 65, 123, 171, 164, 146, 108, 79, 98, 133, 136, 147, 116, 138,
    180, 178, 156, 122, 117, 119, 119, 158, 89, 84, 111, 159, 122, 98, 126, 160, 169, 91, 129, 138, 149, 136, 113,
  ]
  const plain = { size: 4, mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255], resize: 'squash' } as const
  const pixels = preprocess({ width, height, data }, plain)
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(pixels[(i % 3) * 16 + Math.floor(i / 3)]! - value)).toBeLessThan(1e-3)
  }
  const cut = TRANSFORMS['2021-10'].test({ width, height, data }, 4, 'squash')
  expect([...cut.data]).toEqual(expected)
})
