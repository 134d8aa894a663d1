import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import { decodeImage, encodePng } from './image.ts'

const { rows } = z
  .object({
    rows: z.array(
      z.object({ name: z.string(), width: z.number(), height: z.number(), file: z.base64(), rgb: z.base64() }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/pictures.json', import.meta.url), 'utf8')))

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

describe('decodes as Pillow does', () => {
  it.each(rows)('$name', async ({ width, height, file, rgb }) => {
    expect(await decodeImage(bytesOf(file))).toEqual({ width, height, data: bytesOf(rgb) })
  })
})

it('writes PNG that gives the image back', async () => {
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 250, 251, 252) }
  expect(await decodeImage(await encodePng(image))).toEqual(image)
})

describe('pictures that cannot be read', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coop-image-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const whole = bytesOf(rows.find(({ name }) => name === 'JPEG')?.file ?? '')
  it.each([
    ['text.png', new TextEncoder().encode('no picture')],
    ['empty.jpg', new Uint8Array(0)],
    ['cut.jpg', whole.subarray(0, whole.length * 0.9)],
  ])('%s', async (file, bytes) => {
    const path = join(folder, file)
    await writeFile(path, bytes)
    await expect(decodeImage(path)).rejects.toThrow(FileError)
    await expect(decodeImage(path)).rejects.toThrow(`${path} cannot be read as a picture`)
  })

  it('a missing file, a folder', async () => {
    await expect(decodeImage(join(folder, 'none.png'))).rejects.toThrow(/none\.png: no such file/)
    await expect(decodeImage(folder)).rejects.toThrow(/it is a folder/)
  })

  it('never one that is decoded: it is given back', async () => {
    const image = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) }
    expect(await decodeImage(image)).toBe(image)
  })

  it('bytes by the name they are given', async () => {
    await expect(decodeImage(Uint8Array.of(1, 2), 'row 3 of a.parquet')).rejects.toThrow(
      /row 3 of a\.parquet cannot be read/,
    )
  })
})

it.each([
  [
    'nothing known',
    (_: Uint8Array) => new TextEncoder().encode('not a picture'),
    'it is not a picture of a kind that is known',
  ],
  [
    'a part of a picture',
    (png: Uint8Array) => png.slice(0, png.length - 40),
    'it is damaged, or only part of it is there',
  ],
])('%s is refused in one plain sentence', async (_, damage, reason) => {
  const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251)
  const png = await encodePng({ width: 64, height: 64, data })
  await expect(decodeImage(damage(png), 'x.png')).rejects.toThrow(`x.png cannot be read as a picture: ${reason}`)
})
