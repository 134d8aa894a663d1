import { type Canvas, createCanvas, effectRules, imageSide, planeSize } from './effects.ts'
import { type Sprite, spriteSide } from './render.ts'
import type { View } from './view.ts'

/** CLIP's normalisation of pixel values in 0..1. */
export const imageMean = [0.48145466, 0.4578275, 0.40821073] as const
export const imageStd = [0.26862954, 0.26130258, 0.27577711] as const

export type Painter = (sprite: Sprite, view: View, out: Float32Array, at: number) => void

/** A painter with its own scratch memory: shows a sprite as `view` says, as normalised `(3, 64, 64)` from `out[at]` on. */
export function createPainter(): Painter {
  const canvas = createCanvas()
  const half = new Uint8Array((spriteSide / 2) ** 2 * 4)
  return (sprite, view, out, at) => {
    const channels = sprite.facts.palette ? 4 : 1
    // A drawing made much smaller would lose lines between the sample points: sample its halved copy.
    if (view.zoom < 0.62) {
      halve(sprite.pixels, half, channels)
      place(half, spriteSide / 2, channels, view, canvas)
    } else {
      place(sprite.pixels, spriteSide, channels, view, canvas)
    }
    if (view.effect !== undefined) effectRules[view.effect](canvas, view)
    for (let c = 0; c < 3; c++) {
      const plane = canvas.rgb[c]!
      const gain = view.gain[c]!
      const scale = 1 / (255 * imageStd[c]!)
      const shift = -imageMean[c]! / imageStd[c]!
      for (let i = 0; i < planeSize; i++) {
        const value = plane[i]! * gain + view.offset
        out[at + c * planeSize + i] = Math.min(255, Math.max(0, value)) * scale + shift
      }
    }
  }
}

function halve(pixels: Uint8Array, half: Uint8Array, channels: number): void {
  const row = spriteSide * channels
  let to = 0
  for (let y = 0; y < spriteSide; y += 2)
    for (let x = 0; x < spriteSide; x += 2)
      for (let c = 0; c < channels; c++) {
        const i = y * row + x * channels + c
        half[to++] = (pixels[i]! + pixels[i + channels]! + pixels[i + row]! + pixels[i + row + channels]! + 2) >> 2
      }
}

/** Samples the sprite bilinearly under the view's turn, zoom and shift, and lays it over the background. */
function place(pixels: Uint8Array, side: number, channels: number, view: View, canvas: Canvas): void {
  const { rgb, alpha } = canvas
  const [red, green, blue] = rgb
  const [br, bg, bb] = view.background
  const [ir, ig, ib] = view.ink
  const step = side / (imageSide * view.zoom)
  const cos = Math.cos(view.angle) * step
  const sin = Math.sin(view.angle) * step
  const mirror = view.flip ? -1 : 1
  const row = side * channels
  for (let y = 0, i = 0; y < imageSide; y++) {
    const v = y + 0.5 - imageSide / 2 - view.dy
    for (let x = 0; x < imageSide; x++, i++) {
      const u = x + 0.5 - imageSide / 2 - view.dx
      // The inverse turn leads from the picture back to the sprite.
      const sx = mirror * (cos * u + sin * v) + side / 2 - 0.5
      const sy = cos * v - sin * u + side / 2 - 0.5
      const x0 = Math.floor(sx)
      const y0 = Math.floor(sy)
      if (x0 < 0 || y0 < 0 || x0 >= side - 1 || y0 >= side - 1) {
        red[i] = br
        green[i] = bg
        blue[i] = bb
        alpha[i] = 0
        continue
      }
      const fx = sx - x0
      const fy = sy - y0
      const w00 = (1 - fx) * (1 - fy)
      const w01 = fx * (1 - fy)
      const w10 = (1 - fx) * fy
      const w11 = fx * fy
      const a = y0 * row + x0 * channels
      const b = a + channels
      const c = a + row
      const d = c + channels
      const e = channels - 1
      const cover = (w00 * pixels[a + e]! + w01 * pixels[b + e]! + w10 * pixels[c + e]! + w11 * pixels[d + e]!) / 255
      const rest = 1 - cover
      alpha[i] = cover
      if (channels === 1) {
        red[i] = ir * cover + br * rest
        green[i] = ig * cover + bg * rest
        blue[i] = ib * cover + bb * rest
        continue
      }
      red[i] = w00 * pixels[a]! + w01 * pixels[b]! + w10 * pixels[c]! + w11 * pixels[d]! + br * rest
      green[i] = w00 * pixels[a + 1]! + w01 * pixels[b + 1]! + w10 * pixels[c + 1]! + w11 * pixels[d + 1]! + bg * rest
      blue[i] = w00 * pixels[a + 2]! + w01 * pixels[b + 2]! + w10 * pixels[c + 2]! + w11 * pixels[d + 2]! + bb * rest
    }
  }
}
