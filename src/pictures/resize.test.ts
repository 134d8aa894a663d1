import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { resizeWasm } from '../lab/kernels.ts'
import { pattern } from '../testing/pattern.ts'
import { resize, resizePart } from './resize.ts'
import { RESIZE_WASM } from './resize-wasm.ts'

const { rows } = z
  .object({
    rows: z.array(
      z.object({
        width: z.number(),
        height: z.number(),
        box: z.tuple([z.number(), z.number(), z.number(), z.number()]).nullable(),
        rgb: z.base64(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/resize.json', import.meta.url), 'utf8')))

describe("equals Pillow's bicubic resize", () => {
  it.each(rows)('to $width x $height, box $box', ({ width, height, box, rgb }) => {
    const [left, top, right, bottom] = box ?? [0, 0, 37, 23]
    const resized = resize(pattern(37, 23), width, height, { box: { left, top, right, bottom } })
    expect(resized.width).toBe(width)
    expect(resized.height).toBe(height)
    expect(Buffer.from(resized.data).equals(Buffer.from(rgb, 'base64'))).toBe(true)
  })
})

it('keeps an image of one colour', () => {
  const sizes = fc.integer({ min: 1, max: 40 })
  fc.assert(
    fc.property(sizes, sizes, sizes, sizes, fc.nat(255), (width, height, toWidth, toHeight, value) => {
      const image = { width, height, data: new Uint8Array(width * height * 3).fill(value) }
      expect(resize(image, toWidth, toHeight).data.every((level) => level === value)).toBe(true)
    }),
  )
})

it('gives a part as it would be in the whole', () => {
  const whole = resize(pattern(37, 23), 30, 20)
  const part = resizePart(pattern(37, 23), { whole: 30, first: 7, size: 11 }, { whole: 20, first: 3, size: 9 })
  for (let y = 0; y < 9; y++) {
    const from = ((y + 3) * 30 + 7) * 3
    expect(part.data.subarray(y * 33, (y + 1) * 33)).toEqual(whole.data.subarray(from, from + 33))
  }
})

it('is done by what resize.wat makes', async () => {
  expect(RESIZE_WASM, 'npm run kernels').toBe(await resizeWasm())
})

it('is the same after a picture that needed more memory', () => {
  const small = pattern(37, 23)
  const before = resize(small, 11, 7)
  const large = resize(pattern(3000, 2000), 3001, 1999)
  expect(large.data).toHaveLength(3001 * 1999 * 3)
  expect(resize(small, 11, 7)).toEqual(before)
})
