import { expect, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import { prepared } from '../pictures/prepare.ts'
import { pattern } from '../testing/pattern.ts'
import { preparedBeside } from './picture-pool.ts'

const how = {
  config: { size: 32, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] },
  transforms: '2021-10',
} as const
const view = { seed: 1, content: 'abc', index: 0 }

it('large pictures are cut as on the thread that asks, many at a time', async () => {
  const [large, small] = [pattern(800, 600), pattern(40, 30)]
  const cuts = await Promise.all([large, small, large].map((image) => preparedBeside(image, how)))
  expect(cuts).toEqual([large, small, large].map((image) => prepared(image, how, undefined)))
  expect(await preparedBeside(large, how, view)).toEqual(prepared(large, how, view))
  expect(large.data).toHaveLength(3 * 800 * 600)
})

it('what is no picture is refused with the same error', async () => {
  const short = { width: 800, height: 600, data: new Uint8Array(5) }
  await expect(preparedBeside(short, how)).rejects.toThrow(ShapeError)
})
