import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../base/random.ts'
import { pattern } from '../testing/pattern.ts'
import { TRANSFORMS } from './transforms.ts'

const { rows } = z
  .object({
    rows: z.array(
      z.object({
        width: z.number(),
        height: z.number(),
        size: z.number(),
        train: z.boolean(),
        draws: z.array(z.number()),
        rgb: z.base64(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/transforms-2021-09.json', import.meta.url), 'utf8')))

/** A stream that gives these numbers, and no more than these. */
function giving(draws: readonly number[]) {
  const left = [...draws]
  const next = () => {
    const draw = left.shift()
    if (draw === undefined) throw new Error('drew too often')
    return draw
  }
  return { random: { ...randomFor('unused'), next }, left }
}

it.each(rows)('2021-09 equals the official code: $width x $height, train $train, draws $draws', (row) => {
  const { random, left } = giving(row.draws)
  const image = pattern(row.width, row.height)
  const found = row.train
    ? TRANSFORMS['2021-09'].train(image, row.size, random)
    : TRANSFORMS['2021-09'].test(image, row.size)
  expect([found.width, found.height, left]).toEqual([row.size, row.size, []])
  expect(Buffer.from(found.data).equals(Buffer.from(row.rgb, 'base64'))).toBe(true)
})

it('2021-09 shifts and mirrors every other time', () => {
  const image = pattern(20, 12)
  const plain = Buffer.from(TRANSFORMS['2021-09'].test(image, 16).data)
  const same = Array.from({ length: 400 }, (_, i) => TRANSFORMS['2021-09'].train(image, 16, randomFor(i))).filter(
    ({ data }) => plain.equals(data),
  )
  expect(same.length / 400).toBeGreaterThan(0.18)
  expect(same.length / 400).toBeLessThan(0.32)
})
