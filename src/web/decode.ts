import type { RgbImage } from '../clip/types.ts'
import { bmpSize, decodeBmp } from '../pictures/bmp.ts'
import { jpegSegments, orientationOf, turnedBy, withoutOrientation } from '../pictures/exif.ts'
import { hasOwnColours, paintAround, withoutTransparency } from '../pictures/gif.ts'
import type { Exif } from '../pictures/picture.ts'
import { PictureFault } from '../pictures/picture-fault.ts'
import { decodePng, isPng, pngSize } from '../pictures/png.ts'
import { decodePnm, pnmSize } from '../pictures/pnm.ts'

/** Pictures above this are refused, as in Node. */
export const MAX_PIXELS = 180_000_000

type Size = Pick<RgbImage, 'width' | 'height'>

/** A format, what it states of its size, and how it is decoded. */
interface Format {
  size(bytes: Uint8Array): Size | undefined
  decode(bytes: Uint8Array): RgbImage | Promise<RgbImage>
}

const [PNG, BMP, PNM, GIF, OTHER]: readonly Format[] = [
  { size: pngSize, decode: decodePng },
  { size: bmpSize, decode: decodeBmp },
  { size: pnmSize, decode: decodePnm },
  {
    size: (bytes) => pairAt(bytes, 6),
    async decode(bytes) {
      const image = await byBrowser(withoutTransparency(bytes))
      paintAround(bytes, image)
      return image
    },
  },
  { size: jpegSize, decode: byBrowser },
]

function formatOf(bytes: Uint8Array): Format | undefined {
  const [first, second = 0, third = 0] = bytes
  if (isPng(bytes)) return PNG
  if (first === 0x42 && second === 0x4d) return BMP
  if (first === 0x50 && second >= 0x31 && second <= 0x36 && /[\s#]/.test(String.fromCharCode(third))) return PNM
  return isGif(bytes) ? GIF : OTHER
}

const isGif = (bytes: Uint8Array) => bytes[0] === 0x47 && bytes[1] === 0x49 && bytes[2] === 0x46

/**
 * Decodes the bytes of a picture: PNG, BMP and PPM to the pixels of Node, anything else by the browser, without colour
 * management. Throws PictureFault.
 */
export async function decodeBytes(bytes: Uint8Array, exif: Exif): Promise<RgbImage> {
  if (bytes.length === 0) throw new PictureFault('it is empty')
  const format = formatOf(bytes)
  const { width, height } = format?.size(bytes) ?? { width: 1, height: 1 }
  if (width * height > MAX_PIXELS) throw new PictureFault(`it has more than ${MAX_PIXELS / 1e6} million pixels`)
  const image = await (format ?? { decode: byBrowser }).decode(bytes)
  return exif === 'turn' ? turnedBy(image, orientationOf(bytes)) : image
}

/** What decoding does beyond the plain pixels, as in Node: features of such pictures have an id of their own. */
export function specialDecoding(bytes: Uint8Array, exif: Exif): 'turned' | 'palette' | undefined {
  if (hasOwnColours(bytes)) return 'palette'
  return exif === 'turn' && orientationOf(bytes) > 1 ? 'turned' : undefined
}

/** Width and height as GIF has them. */
function pairAt(bytes: Uint8Array, at: number): Size | undefined {
  if (bytes.length < at + 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { width: view.getUint16(at, true), height: view.getUint16(at + 2, true) }
}

/** Undefined for what is no JPEG. */
function jpegSize(bytes: Uint8Array): Size | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const { marker, start } of jpegSegments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame && start + 5 <= bytes.length)
      return { height: view.getUint16(start + 1), width: view.getUint16(start + 3) }
  }
  return undefined
}

// browsers follow an orientation whatever imageOrientation says
const AS_IT_IS = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' } as const

async function byBrowser(bytes: Uint8Array): Promise<RgbImage> {
  checkWhole(bytes)
  const blob = new Blob([withoutOrientation(bytes)])
  const bitmap = await createImageBitmap(blob, AS_IT_IS).catch((cause: unknown) => {
    const isKnown = isGif(bytes) || jpegSize(bytes) !== undefined
    throw new PictureFault(
      isKnown ? 'it is damaged, or only part of it is there' : 'it is not a picture of a kind that this browser knows',
      { cause },
    )
  })
  try {
    return withoutAlpha(bitmap)
  } finally {
    bitmap.close()
  }
}

/** Browsers show a JPEG that is cut short, with grey for what is missing; Node refuses it. */
function checkWhole(bytes: Uint8Array): void {
  if (jpegSize(bytes) === undefined) return
  // a thumbnail in a segment before the pixels has an end of its own
  const pixels = Math.max(0, ...Array.from(jpegSegments(bytes), ({ end }) => end))
  for (let at = bytes.length - 2; at >= pixels; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return
  throw new PictureFault('it is damaged, or only part of it is there')
}

function withoutAlpha(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) throw new PictureFault('this browser has no canvas')
  context.drawImage(bitmap, 0, 0)
  const plain = context.getImageData(0, 0, width, height).data
  const values = plain.some((value, i) => i % 4 === 3 && value < 255) ? (unblended(bitmap) ?? plain) : plain
  const data = new Uint8Array(width * height * 3)
  for (let i = 0, to = 0; i < values.length; i += 4, to += 3) {
    data[to] = values[i]!
    data[to + 1] = values[i + 1]!
    data[to + 2] = values[i + 2]!
  }
  return { width, height, data }
}

/** RGBA as the file has it: a 2D canvas keeps colours multiplied by alpha, a texture does not. */
function unblended(bitmap: ImageBitmap): Uint8Array | undefined {
  const { width, height } = bitmap
  const gl = new OffscreenCanvas(1, 1).getContext('webgl')
  if (gl === null || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined
  const texture = gl.createTexture()
  gl.bindTexture(gl.TEXTURE_2D, texture)
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false)
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE)
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap)
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer())
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0)
  const values = new Uint8Array(width * height * 4)
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, values)
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  return values
}
