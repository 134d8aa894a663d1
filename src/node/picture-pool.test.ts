import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FileError, UsageError } from '../base/errors.ts'
import { prepared } from '../pictures/prepare.ts'
import { pattern } from '../testing/pattern.ts'
import { decodeImage, encodePng } from './image.ts'
import { pixelsBeside } from './picture-pool.ts'

const how = {
  config: { size: 32, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] },
  transforms: '2021-10',
} as const
const views = [undefined, { seed: 1, content: 'abc', index: 0 }, { seed: 1, content: 'abc', index: 1 }]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-pool-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('pictures of all kinds and sizes are read as on the thread that asks, many at a time', async () => {
  const [large, small] = [pattern(800, 600), pattern(40, 30)]
  const bytes = await encodePng(large)
  const path = join(folder, 'large.png')
  await writeFile(path, bytes)
  expect((await stat(path)).size).toBeGreaterThan(64_000)
  const asked = [large, small, bytes, path, await encodePng(small), large]
  const read = await Promise.all(asked.map((picture) => pixelsBeside(picture, 'it', how, views)))
  const wanted = [large, small, large, large, small, large]
  expect(read).toEqual(wanted.map((image) => views.map((view) => prepared(image, how, view))))
  expect(large.data).toHaveLength(3 * 800 * 600)
})

it('what cannot be read is refused with the same error', async () => {
  const short = { width: 800, height: 600, data: new Uint8Array(1_000_000) }
  await expect(pixelsBeside(short, 'it', how, views)).rejects.toThrow(UsageError)
  const noise = new Uint8Array(100_000)
  for (const picture of [noise, join(folder, 'none.png')]) {
    const error: unknown = await decodeImage(picture, 'it', {}).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(FileError)
    await expect(pixelsBeside(picture, 'it', how, views)).rejects.toEqual(error)
  }
  await expect(pixelsBeside(pattern(800, 600), 'it', { ...how, maxPixels: 5 }, views)).resolves.toHaveLength(3)
  await expect(pixelsBeside(Object(null), 'it', how, views)).rejects.toThrow(UsageError)
  const large = await encodePng(pattern(800, 600))
  await expect(pixelsBeside(large, 'it', { ...how, maxPixels: 5 }, views)).rejects.toThrow(
    /800 x 600 pixels are more than 5/,
  )
})
