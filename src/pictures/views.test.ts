import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import type { RgbImage } from '../clip/types.ts'
import { randomRegion } from './transforms.ts'
import { augmentedView } from './views.ts'

/** Red grows to the right, green downwards: a view shows what part it is. */
function ramp(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([(255 * x) / width, (255 * y) / height, 0], (y * width + x) * 3)
  }
  return { width, height, data }
}

const side = fc.integer({ min: 1, max: 600 })

describe('randomRegion', () => {
  it('lies in the picture, with an allowed aspect ratio and area or as the centred fallback', () => {
    fc.assert(
      fc.property(side, side, fc.nat(), (width, height, seed) => {
        const region = randomRegion({ width, height }, randomFor(seed))
        expect(Math.min(region.left, region.top)).toBeGreaterThanOrEqual(0)
        expect(Math.min(region.width, region.height)).toBeGreaterThanOrEqual(1)
        expect(region.left + region.width).toBeLessThanOrEqual(width)
        expect(region.top + region.height).toBeLessThanOrEqual(height)
        // rounding moves a side by half a pixel at most
        const { width: w, height: h } = region
        expect((w - 0.51) / (h + 0.51)).toBeLessThanOrEqual(4 / 3)
        expect((w + 0.51) / (h - 0.51)).toBeGreaterThanOrEqual(3 / 4)
      }),
    )
  })

  it('spreads evenly over area and places', () => {
    const regions = Array.from({ length: 4000 }, (_, i) => randomRegion({ width: 1000, height: 1000 }, randomFor(i)))
    const share = regions.map(({ width, height }) => (width * height) / 1e6)
    expect(Math.min(...share)).toBeGreaterThan(0.079)
    // Area a fits the square with probability min(1, -ln a / ln 4/3): 0.46 of a mass of 0.789 lies below 0.54.
    const below = share.filter((s) => s < 0.54).length / share.length
    expect(Math.abs(below - 0.583)).toBeLessThan(0.02)
    const centre = (low: 'left' | 'top', size: 'width' | 'height') =>
      regions.reduce((sum, region) => sum + region[low] + region[size] / 2, 0) / regions.length
    expect(Math.abs(centre('left', 'width') - 500)).toBeLessThan(12)
    expect(Math.abs(centre('top', 'height') - 500)).toBeLessThan(12)
    const wide = regions.filter(({ width, height }) => width > height).length / regions.length
    expect(Math.abs(wide - 0.5)).toBeLessThan(0.04)
  })

  it('falls back to the largest centred region of an allowed aspect ratio', () => {
    const random = randomFor('strip')
    expect(randomRegion({ width: 4000, height: 30 }, random)).toEqual({ left: 1980, top: 0, width: 40, height: 30 })
    expect(randomRegion({ width: 30, height: 4001 }, random)).toEqual({ left: 0, top: 1980, width: 30, height: 40 })
  })
})

describe('augmentedView', () => {
  const image = ramp(60, 40)
  const view = { seed: 1, content: 'abc', index: 0 }

  it('is decided by seed, content and index, each of which matters', () => {
    const pixels = (changed: Partial<typeof view>) => augmentedView(image, 16, { ...view, ...changed }).data
    expect(pixels({})).toEqual(pixels({}))
    for (const changed of [{ seed: 2 }, { content: 'abd' }, { index: 1 }])
      expect(pixels(changed)).not.toEqual(pixels({}))
  })

  it('shows a part of the picture, upright, mirrored about every other time', () => {
    let mirrored = 0
    for (let index = 0; index < 300; index++) {
      const { width, height, data } = augmentedView(image, 12, { ...view, index })
      expect([width, height, data.length]).toEqual([12, 12, 12 * 12 * 3])
      const at = (x: number, y: number) => data.subarray((y * 12 + x) * 3, (y * 12 + x) * 3 + 3)
      expect(at(5, 0)[1]).toBeLessThan(at(5, 11)[1] ?? 0)
      if ((at(0, 5)[0] ?? 0) > (at(11, 5)[0] ?? 0)) mirrored++
    }
    expect(mirrored).toBeGreaterThan(120)
    expect(mirrored).toBeLessThan(180)
  })
})
