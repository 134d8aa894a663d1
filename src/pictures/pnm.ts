import { roundHalfEven } from '../base/round.ts'
import type { RgbImage } from '../clip/types.ts'
import { PictureFault } from './picture-fault.ts'

interface Header {
  /** 1 to 6: bits, greys and colours as text, and the same as bytes. */
  readonly kind: number
  readonly width: number
  readonly height: number
  readonly max: number
  /** Where the pixels begin. */
  readonly start: number
}

/** The size that a PNM states. Throws Error for what is none. */
export function pnmSize(bytes: Uint8Array): Pick<RgbImage, 'width' | 'height'> {
  const { width, height } = headerOf(bytes)
  return { width, height }
}

/** Decodes PBM, PGM and PPM (P1 to P6, up to 16 bits a value) as Pillow does. Throws Error when it is damaged or cut short. */
export function decodePnm(bytes: Uint8Array): RgbImage {
  const header = headerOf(bytes)
  const { kind, width, height, max } = header
  const channels = kind % 3 === 0 ? 3 : 1
  const values = kind > 3 ? rawValues(bytes, header, channels) : textValues(bytes, header, channels)
  const data = new Uint8Array(width * height * 3)
  const light = (value: number) =>
    kind % 3 === 1 ? 255 * (1 - value) : roundHalfEven((Math.min(value, max) * 255) / max)
  for (let i = 0; i < data.length; i++) data[i] = light(values[channels === 3 ? i : Math.floor(i / 3)]!)
  return { width, height, data }
}

const SPACE = /\s/

function headerOf(bytes: Uint8Array): Header {
  let at = 2
  const character = () => String.fromCharCode(bytes[at] ?? 0)
  const number = () => {
    while (SPACE.test(character()) || character() === '#') {
      if (character() === '#') while (at < bytes.length && !/[\r\n]/.test(character())) at++
      else at++
    }
    let digits = ''
    for (; /\d/.test(character()) && digits.length < 10; at++) digits += character()
    if (digits === '') throw new PictureFault('its header is damaged')
    return Number(digits)
  }
  const kind = (bytes[1] ?? 0) - 48
  const [width, height, max] = [number(), number(), kind % 3 === 1 ? 1 : number()]
  if (width < 1 || height < 1 || max < 1 || max > 65535) throw new PictureFault('its header is damaged')
  return { kind, width, height, max, start: at + 1 }
}

function rawValues(
  bytes: Uint8Array,
  { kind, width, height, max, start }: Header,
  channels: number,
): Uint8Array | Uint16Array {
  const row = kind === 4 ? Math.ceil(width / 8) : width * channels * (max > 255 ? 2 : 1)
  const raw = bytes.subarray(start, start + row * height)
  if (raw.length < row * height) throw new PictureFault('it is cut short')
  if (kind === 4) {
    return Uint8Array.from({ length: width * height }, (_, i) => {
      const x = i % width
      return (raw[Math.floor(i / width) * row + (x >> 3)]! >> (7 - (x & 7))) & 1
    })
  }
  if (max < 256) return raw
  return Uint16Array.from({ length: raw.length / 2 }, (_, i) => (raw[2 * i]! << 8) | raw[2 * i + 1]!)
}

function textValues(bytes: Uint8Array, { kind, width, height, start }: Header, channels: number): Uint16Array {
  const text = new TextDecoder('latin1').decode(bytes.subarray(start)).replace(/#[^\r\n]*/g, ' ')
  // bits need no space between them
  const words = text.match(kind === 1 ? /[01]/g : /\d+/g) ?? []
  if (words.length < width * height * channels) throw new PictureFault('it is cut short')
  return Uint16Array.from({ length: width * height * channels }, (_, i) => Math.min(Number(words[i]), 65535))
}
