import sharp, { type PngOptions, type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { decodeImage } from '../node/image.ts'
import { orientationOf, turnedBy } from './exif.ts'
import { decodePng, pngOf } from './png.ts'

const random = randomFor('png', 1)
/** Noise over a ramp, so that every filter is used. */
function picture(width: number, height: number, channels: 1 | 2 | 3 | 4): Sharp {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) =>
    i % 3 === 0 ? random.int(256) : ((i / channels) * 3) % 256,
  )
  return sharp(data, { raw: { width, height, channels } })
}

const png = async (from: Sharp, options: PngOptions = {}) => new Uint8Array(await from.png(options).toBuffer())
const wide = (from: Sharp, space: 'rgb16' | 'grey16') => from.toColourspace(space)

const FILES: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  'of colours': () => png(picture(33, 17, 3)),
  'of colours with alpha': () => png(picture(33, 17, 4)),
  'of greys': () => png(picture(33, 17, 1).toColourspace('b-w')),
  'of greys with alpha': () => png(picture(33, 17, 2)),
  'of a palette': () => png(picture(33, 17, 3), { palette: true, colours: 200 }),
  'of a palette of two colours': () => png(picture(33, 17, 3), { palette: true, colours: 2 }),
  'of a palette of four colours': () => png(picture(33, 17, 3), { palette: true, colours: 4 }),
  'of a palette of sixteen colours': () => png(picture(33, 17, 3), { palette: true, colours: 16 }),
  'of a palette with alpha': () => png(picture(33, 17, 4), { palette: true }),
  'of 16-bit colours': () => png(wide(picture(33, 17, 3), 'rgb16')),
  'of 16-bit colours with alpha': () => png(wide(picture(33, 17, 4), 'rgb16')),
  'of 16-bit greys': () => png(wide(picture(33, 17, 1), 'grey16')),
  interlaced: () => png(picture(33, 17, 3), { progressive: true }),
  'interlaced, of a palette of two colours': () =>
    png(picture(13, 11, 3), { progressive: true, palette: true, colours: 2 }),
  'of one pixel, interlaced': () => png(picture(1, 1, 3), { progressive: true }),
  'of many rows': () => png(picture(300, 700, 3)),
  'with an orientation': () => png(picture(5, 7, 3).withMetadata({ orientation: 6 })),
}

describe('a PNG', () => {
  it.each(Object.entries(FILES))('%s has the pixels that Node decodes', async (_, make) => {
    const bytes = await make()
    const [{ data, ...size }, { data: wanted, ...wantedSize }] = [await decodePng(bytes), await decodeImage(bytes)]
    expect(size).toEqual(wantedSize)
    expect(Buffer.compare(data, wanted)).toBe(0)
  })

  it('is refused wherever it is cut', async () => {
    const bytes = await png(picture(33, 17, 3))
    for (let length = 8; length < bytes.length; length += 7) {
      await expect(decodePng(bytes.subarray(0, length))).rejects.toThrow(/damaged|cut short/)
    }
  })

  it('is refused when a byte of its pixels is another one', async () => {
    const bytes = await png(picture(33, 17, 3))
    for (let at = 60; at < bytes.length - 12; at += 101) {
      await expect(decodePng(bytes.with(at, bytes[at]! ^ 0x55))).rejects.toThrow('damaged')
    }
  })

  it('comes back from pngOf as it was', async () => {
    const image = await decodeImage(await png(picture(20, 9, 3)))
    const bytes = await pngOf(image)
    expect(await decodePng(bytes)).toEqual(image)
    expect(await decodeImage(bytes)).toEqual(image)
  })
})

describe('the orientation of', () => {
  it.each(['jpeg', 'png', 'webp'] as const)('%s is read and followed as Node does', async (format) => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const from = picture(6, 4, 3).withMetadata({ orientation })
      const bytes = new Uint8Array(
        await (format === 'webp' ? from.webp({ lossless: true }) : from.toFormat(format)).toBuffer(),
      )
      expect(orientationOf(bytes)).toBe(orientation)
      const plain = await decodeImage(bytes)
      expect(turnedBy(plain, orientation)).toEqual(await decodeImage(bytes, 'it', { exif: 'turn' }))
    }
    expect(orientationOf(new Uint8Array(await picture(2, 2, 3).toFormat(format).toBuffer()))).toBe(1)
  })
})
