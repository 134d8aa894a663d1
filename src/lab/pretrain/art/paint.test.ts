import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomFor } from '../../../base/random.ts'
import { planeSize } from './effects.ts'
import { facts } from './fixtures/facts.ts'
import { createPainter, imageMean, imageStd } from './paint.ts'
import { type Sprite, spriteSide } from './render.ts'
import { type Effect, randomView, type View } from './view.ts'

/** Left half red, right half blue, top quarter empty. */
const twoHalves: Sprite = { facts: facts(), pixels: new Uint8Array(spriteSide * spriteSide * 4) }
for (let y = spriteSide / 4; y < spriteSide; y++)
  for (let x = 0; x < spriteSide; x++)
    twoHalves.pixels.set(x < spriteSide / 2 ? [255, 0, 0, 255] : [0, 0, 255, 255], (y * spriteSide + x) * 4)
const stencil: Sprite = {
  facts: facts({ palette: false }),
  pixels: Uint8Array.from({ length: spriteSide * spriteSide }, (_, i) => (i % spriteSide < spriteSide / 2 ? 255 : 0)),
}
const still: View = {
  named: [],
  background: [255, 255, 255],
  ink: [0, 0, 0],
  zoom: 1,
  dx: 0,
  dy: 0,
  angle: 0,
  flip: false,
  effect: undefined,
  gain: [1, 1, 1],
  offset: 0,
}
const paint = createPainter()

/** Colour at a place of the 64-pixel picture, back in 0..255. */
function painted(sprite: Sprite, view: Partial<View>): (x: number, y: number) => number[] {
  const out = new Float32Array(3 * planeSize)
  paint(sprite, { ...still, ...view }, out, 0)
  return (x, y) =>
    [0, 1, 2].map((c) => Math.abs(Math.round(255 * (out[c * planeSize + y * 64 + x]! * imageStd[c]! + imageMean[c]!))))
}

const [white, red, blue] = [
  [255, 255, 255],
  [255, 0, 0],
  [0, 0, 255],
]

describe('createPainter', () => {
  test('lays the sprite over the background', () => {
    const at = painted(twoHalves, {})
    expect(at(32, 5)).toEqual(white)
    expect(at(10, 50)).toEqual(red)
    expect(at(53, 50)).toEqual(blue)
    expect(painted(twoHalves, { background: [10, 20, 30] })(32, 5)).toEqual([10, 20, 30])
  })

  test('turns, mirrors, shifts and shrinks', () => {
    const upside = painted(twoHalves, { angle: Math.PI })
    expect([upside(10, 10), upside(53, 10), upside(32, 60)]).toEqual([blue, red, white])
    // A quarter turn clockwise brings the left half to the top and the empty top to the right.
    const right = painted(twoHalves, { angle: Math.PI / 2 })
    expect([right(20, 10), right(20, 53), right(60, 32)]).toEqual([red, blue, white])
    const mirrored = painted(twoHalves, { flip: true })
    expect([mirrored(10, 50), mirrored(53, 50)]).toEqual([blue, red])
    expect(painted(twoHalves, { dx: 20 })(10, 50)).toEqual(white)
    const small = painted(twoHalves, { zoom: 0.4 })
    expect([small(10, 50), small(28, 36), small(36, 36)]).toEqual([white, red, blue])
  })

  test('inks one-colour sprites', () => {
    const at = painted(stencil, { ink: [200, 100, 50], background: [0, 0, 0] })
    expect([at(10, 30), at(50, 30)]).toEqual([
      [200, 100, 50],
      [0, 0, 0],
    ])
  })

  const effectCases: readonly [Effect, [number, number], number[]][] = [
    ['gray', [10, 50], [76, 76, 76]],
    ['inverted', [10, 50], [0, 255, 255]],
    ['silhouette', [10, 50], [0, 0, 0]],
    ['outlined', [10, 50], [255, 0, 0]],
    ['outlined', [32, 50], [0, 0, 0]],
    ['line drawing', [10, 50], [255, 255, 255]],
    ['line drawing', [32, 50], [0, 0, 0]],
    ['pixelated', [10, 50], [255, 0, 0]],
    ['blurry', [10, 50], [255, 0, 0]],
  ]
  test.each(effectCases)('%s at %j is %j', (effect, [x, y], colour) => {
    expect(painted(twoHalves, { effect })(x, y)).toEqual(colour)
  })

  test('3d is brighter at the upper left edge than at the lower right', () => {
    const at = painted(stencil, { effect: '3d', ink: [100, 100, 100] })
    expect(at(2, 8)[0]).toBeGreaterThan(at(29, 60)[0]!)
  })

  test('any view of any sprite stays in range and leaves nothing unpainted', () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, palette) => {
        const sprite = palette ? twoHalves : stencil
        const out = new Float32Array(3 * planeSize).fill(Number.NaN)
        paint(sprite, randomView(sprite.facts, randomFor(seed)), out, 0)
        return out.every((value) => value > -1.8 && value < 2.2)
      }),
    )
  })
})

describe('randomView', () => {
  const views = Array.from({ length: 2000 }, (_, seed) => randomView(facts(), randomFor(seed)))

  test('a quarter to two fifths of the pictures have something to tell', () => {
    const share = views.filter((view) => view.named.length > 0).length / views.length
    expect(share).toBeGreaterThan(0.25)
    expect(share).toBeLessThan(0.42)
  })

  test('what is told is done', () => {
    for (const { named, angle, zoom, effect } of views)
      for (const item of named) {
        if (item.kind === 'effect') expect(effect).toBe(item.value)
        if (item.kind === 'pose' && item.value === 'upside down') expect(Math.abs(angle - Math.PI)).toBeLessThan(0.4)
        if (item.kind === 'pose' && item.value === 'small') expect(zoom).toBeLessThan(0.51)
      }
  })

  test('every turn is told, and what has a side is neither turned nor mirrored', () => {
    for (const { named, angle } of views)
      if (Math.abs(angle) > 0.5) expect(named.some((item) => item.kind === 'pose')).toBe(true)
    for (let seed = 0; seed < 500; seed++) {
      const view = randomView(facts({ flippable: false }), randomFor(seed))
      expect(view.flip || Math.abs(view.angle) > 0.5).toBe(false)
    }
  })
})
