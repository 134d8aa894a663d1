import type { RgbImage } from '../clip/types.ts'

/** The picture that fixtures of resized pictures start from: value (3xx + 7y + 50c + 5xy) mod 256. */
export function pattern(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    data[i] = 3 * x * x + 7 * y + 50 * c + 5 * x * y
  }
  return { width, height, data }
}
