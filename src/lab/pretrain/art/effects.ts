import type { Effect, View } from './view.ts'

/** Side of a training picture. */
export const imageSide = 64
export const planeSize = imageSide * imageSide

/** A picture in the making: three colour planes in 0..255 and the drawing's coverage in 0..1, each `(64, 64)`. */
export interface Canvas {
  readonly rgb: readonly [Float32Array, Float32Array, Float32Array]
  readonly alpha: Float32Array
  readonly scratch: Float32Array
}

export function createCanvas(): Canvas {
  const plane = () => new Float32Array(planeSize)
  return { rgb: [plane(), plane(), plane()], alpha: plane(), scratch: plane() }
}

type EffectRule = (canvas: Canvas, view: View) => void

/** How each effect changes the painted picture, in place. */
export const effectRules: Readonly<Record<Effect, EffectRule>> = {
  gray: ({ rgb: [r, g, b] }) => {
    for (let i = 0; i < planeSize; i++) r[i] = g[i] = b[i] = 0.299 * r[i]! + 0.587 * g[i]! + 0.114 * b[i]!
  },
  inverted: ({ rgb }) => {
    for (const plane of rgb) for (let i = 0; i < planeSize; i++) plane[i] = 255 - plane[i]!
  },
  silhouette: ({ rgb, alpha }, { background, ink }) => {
    rgb.forEach((plane, c) => {
      for (let i = 0; i < planeSize; i++) plane[i] = background[c]! + (ink[c]! - background[c]!) * alpha[i]!
    })
  },
  outlined: (canvas, { ink }) => {
    const edges = findEdges(canvas)
    canvas.rgb.forEach((plane, c) => {
      for (let i = 0; i < planeSize; i++) plane[i] = plane[i]! + (ink[c]! - plane[i]!) * edges[i]!
    })
  },
  'line drawing': (canvas, { background, ink }) => {
    const edges = findEdges(canvas)
    canvas.rgb.forEach((plane, c) => {
      for (let i = 0; i < planeSize; i++) plane[i] = background[c]! + (ink[c]! - background[c]!) * edges[i]!
    })
  },
  '3d': shade,
  blurry: ({ rgb, scratch }) => {
    for (const plane of rgb) {
      boxBlur(plane, scratch, 1, imageSide)
      boxBlur(scratch, plane, imageSide, 1)
    }
  },
  pixelated: ({ rgb }) => {
    for (const plane of rgb) mosaic(plane, 4)
  },
}

/** Strength 0..1 of the edges of colour and coverage: the larger of the differences across and down. */
function findEdges({ rgb, alpha, scratch }: Canvas): Float32Array {
  scratch.fill(0)
  const [r, g, b] = rgb
  for (let y = 1; y < imageSide - 1; y++)
    for (let x = 1; x < imageSide - 1; x++) {
      const i = y * imageSide + x
      let most = 0
      for (let axis = 0; axis < 2; axis++) {
        const step = axis === 0 ? 1 : imageSide
        const colour =
          Math.abs(r[i + step]! - r[i - step]!) +
          Math.abs(g[i + step]! - g[i - step]!) +
          Math.abs(b[i + step]! - b[i - step]!)
        const cover = 400 * Math.abs(alpha[i + step]! - alpha[i - step]!)
        most = Math.max(most, colour, cover)
      }
      scratch[i] = Math.min(1, Math.max(0, (most - 50) / 130))
    }
  return scratch
}

/** Light from the top left on a rounded body: bright where the drawing begins, dark where it ends, darker below. */
function shade({ rgb, alpha, scratch }: Canvas): void {
  for (let y = 0; y < imageSide; y++)
    for (let x = 0; x < imageSide; x++) {
      const i = y * imageSide + x
      let relief = 0
      for (const reach of [2, 4, 6]) {
        const before = x < reach || y < reach ? 0 : alpha[i - reach * (imageSide + 1)]!
        const after = x + reach >= imageSide || y + reach >= imageSide ? 0 : alpha[i + reach * (imageSide + 1)]!
        relief += after - before
      }
      scratch[i] = alpha[i]! * (relief * 26 + 22 - (44 * y) / imageSide)
    }
  for (const plane of rgb)
    for (let i = 0; i < planeSize; i++) plane[i] = Math.min(255, Math.max(0, plane[i]! + scratch[i]!))
}

/** Mean of five neighbours along one axis; past the border the border's pixel counts. */
function boxBlur(from: Float32Array, to: Float32Array, along: number, across: number): void {
  for (let line = 0; line < imageSide; line++)
    for (let k = 0; k < imageSide; k++) {
      let sum = 0
      for (let d = -2; d <= 2; d++) sum += from[line * across + Math.min(imageSide - 1, Math.max(0, k + d)) * along]!
      to[line * across + k * along] = sum / 5
    }
}

function mosaic(plane: Float32Array, size: number): void {
  for (let y = 0; y < imageSide; y += size)
    for (let x = 0; x < imageSide; x += size) {
      let sum = 0
      for (let j = 0; j < size * size; j++) sum += plane[(y + Math.floor(j / size)) * imageSide + x + (j % size)]!
      for (let j = 0; j < size * size; j++)
        plane[(y + Math.floor(j / size)) * imageSide + x + (j % size)] = sum / (size * size)
    }
}
