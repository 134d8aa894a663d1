import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import { contentHash } from './content-hash.ts'
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

const other = z
  .object({
    rows: z.array(
      z.object({ name: z.string(), width: z.number(), height: z.number(), file: z.base64(), rgb: z.base64() }),
    ),
    heic: z.base64(),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/other-pictures.json', import.meta.url), 'utf8')))

describe('BMP, PNM, and GIFs with transparency or a frame smaller than the canvas, as Pillow', () => {
  it.each(other.rows)('$name', async ({ width, height, file, rgb }) => {
    expect(await decodeImage(bytesOf(file))).toEqual({ width, height, data: bytesOf(rgb) })
  })

  it.each(other.rows)(
    '$name: cut anywhere, or of a size it cannot have, is refused or read, and at once',
    async ({ file }) => {
      const bytes = bytesOf(file)
      const faults: unknown[] = []
      for (let length = 0; length < Math.min(bytes.length, 90); length++) {
        await decodeImage(bytes.subarray(0, length)).catch((error: unknown) => faults.push(error))
        const damaged = bytes.slice()
        damaged[length] = 0xff
        await decodeImage(damaged).catch((error: unknown) => faults.push(error))
      }
      expect(faults.filter((error) => !(error instanceof FileError))).toEqual([])
    },
  )
})

it('reads HEIC: four quarters, red, green, blue and yellow', async () => {
  const { width, height, data } = await decodeImage(bytesOf(other.heic))
  expect([width, height]).toEqual([64, 48])
  const at = (x: number, y: number) => [...data.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3)]
  for (const [x, y, colour] of [
    [10, 10, [220, 40, 30]],
    [50, 10, [30, 200, 60]],
    [10, 40, [20, 60, 210]],
    [50, 40, [240, 230, 40]],
  ] as const) {
    for (const [c, value] of at(x, y).entries()) expect(Math.abs(value - (colour[c] ?? 0))).toBeLessThan(8)
  }
  await expect(decodeImage(bytesOf(other.heic).subarray(0, 300))).rejects.toThrow(FileError)
})

describe('EXIF orientation', () => {
  // 3 x 2, all pixels different; what each orientation makes of it, by its pixels' places (EXIF 2.3, tag 274)
  const pixels = [0, 1, 2, 3, 4, 5]
  const SEEN: Readonly<Record<number, readonly [width: number, places: readonly number[]]>> = {
    1: [3, [0, 1, 2, 3, 4, 5]],
    2: [3, [2, 1, 0, 5, 4, 3]],
    3: [3, [5, 4, 3, 2, 1, 0]],
    4: [3, [3, 4, 5, 0, 1, 2]],
    5: [2, [0, 3, 1, 4, 2, 5]],
    6: [2, [3, 0, 4, 1, 5, 2]],
    7: [2, [5, 2, 4, 1, 3, 0]],
    8: [2, [2, 5, 1, 4, 0, 3]],
  }
  // blocks of 16 x 16, which JPEG's own blocks do not mix
  const SIDE = 16
  const grey = (place: number) => 30 + 40 * place
  const raw = Uint8Array.from({ length: 3 * 3 * SIDE * 2 * SIDE }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % (3 * SIDE), Math.floor(i / 9 / SIDE)]
    return grey(pixels[Math.floor(y / SIDE) * 3 + Math.floor(x / SIDE)] ?? 0)
  })
  const file = async (format: 'jpeg' | 'png' | 'webp' | 'tiff', orientation: number) =>
    new Uint8Array(
      await sharp(raw, { raw: { width: 3 * SIDE, height: 2 * SIDE, channels: 3 } })
        .withMetadata({ orientation })
        .toFormat(format, { quality: 100 })
        .toBuffer(),
    )
  const places = async (bytes: Uint8Array, exif: 'turn' | 'ignore') => {
    const { width, height, data } = await decodeImage(bytes, 'it', { exif })
    const middle = (x: number, y: number) => data[((y * SIDE + SIDE / 2) * width + x * SIDE + SIDE / 2) * 3] ?? 0
    const columns = width / SIDE
    const found = Array.from({ length: (width * height) / SIDE ** 2 }, (_, i) =>
      Math.round((middle(i % columns, Math.floor(i / columns)) - 30) / 40),
    )
    return [columns, found]
  }

  it.each(
    (['jpeg', 'png', 'webp', 'tiff'] as const).flatMap((format) =>
      Object.keys(SEEN).map((key) => [format, Number(key)] as const),
    ),
  )('%s, %i: turned if asked, a TIFF always; and it is another content then', async (format, orientation) => {
    const bytes = await file(format, orientation)
    expect(await places(bytes, 'turn')).toEqual(SEEN[orientation])
    expect(await places(bytes, 'ignore')).toEqual(format === 'tiff' ? SEEN[orientation] : SEEN[1])
    const [turned, ignored] = [await contentHash(bytes, 'turn'), await contentHash(bytes, 'ignore')]
    expect(turned === ignored).toBe(orientation === 1 || format === 'tiff')
  })
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

it('refuses a small GIF that states more pixels than its bytes can hold', async () => {
  const gif = new Uint8Array(
    await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
      .gif()
      .toBuffer(),
  )
  const frame = gif.indexOf(0x2c) // its left, top, width and height follow
  for (const at of [6, 8, frame + 5, frame + 7]) new DataView(gif.buffer).setUint16(at, 12_000, true)
  await expect(decodeImage(gif, 'x.gif')).rejects.toThrow('12000 x 12000 pixels are more than its')
})
