import { createRequire } from 'node:module'
import { z } from 'zod'
import type { RgbImage } from '../clip/types.ts'
import { PictureFault } from '../pictures/picture-fault.ts'

/** What is used of libheif (https://github.com/strukturag/libheif), by its own names; a number is a pointer's. */
interface Libheif {
  heif_context_alloc(): unknown
  heif_context_free(context: unknown): void
  heif_context_read_from_memory(context: unknown, bytes: Uint8Array): unknown
  heif_js_context_get_primary_image_handle(context: unknown): unknown
  heif_image_handle_get_width(handle: unknown): number
  heif_image_handle_get_height(handle: unknown): number
  heif_image_handle_release(handle: unknown): void
  heif_js_decode_image2(handle: unknown, colourspace: unknown, chroma: unknown): unknown
  heif_image_release(image: unknown): void
  readonly heif_colorspace: { readonly heif_colorspace_RGB: unknown }
  readonly heif_chroma: { readonly heif_chroma_interleaved_RGB: unknown }
}

let loaded: Libheif | undefined

/** Loaded when the first HEIC is met: a third of a second, 2 MB. */
function libheif(): Libheif {
  if (loaded === undefined) {
    const library: Libheif = createRequire(import.meta.url)('libheif-js/wasm-bundle.js')
    loaded = library
  }
  return loaded
}

const failure = z.object({ code: z.unknown(), message: z.string() })
const decoded = z.object({
  image: z.unknown(),
  channels: z.array(z.object({ width: z.int(), height: z.int(), stride: z.int(), data: z.instanceof(Uint8Array) })),
})

/** Whether bytes are a HEIF file whose picture is coded in HEVC, as phones write it (AVIF is another). */
export function isHeic(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1')
  return text.slice(4, 8) === 'ftyp' && /^(hei[cxms]|hev[cxms]|mif1|msf1)/.test(text.slice(8)) && !/avi[fs]/.test(text)
}

/** The size of the primary picture. Throws Error for what is damaged. */
export const heicSize = (bytes: Uint8Array): Pick<RgbImage, 'width' | 'height'> =>
  withPrimary(bytes, (heif, handle) => ({
    width: heif.heif_image_handle_get_width(handle),
    height: heif.heif_image_handle_get_height(handle),
  }))

/** The primary picture of a HEIC file, as it is meant to be seen: libheif turns it. Throws Error for what is damaged. */
export const decodeHeic = (bytes: Uint8Array): RgbImage =>
  withPrimary(bytes, (heif, handle) => {
    const { heif_colorspace_RGB: rgb } = heif.heif_colorspace
    const { heif_chroma_interleaved_RGB: interleaved } = heif.heif_chroma
    const { image, channels } = decoded.parse(checked(heif.heif_js_decode_image2(handle, rgb, interleaved)))
    heif.heif_image_release(image)
    const [plane] = channels
    if (plane === undefined) throw new PictureFault('it has no pixels')
    const { width, height, stride } = plane
    const data = new Uint8Array(width * height * 3)
    for (let y = 0; y < height; y++) data.set(plane.data.subarray(y * stride, y * stride + width * 3), y * width * 3)
    return { width, height, data }
  })

function withPrimary<T>(bytes: Uint8Array, use: (heif: Libheif, handle: unknown) => T): T {
  const heif = libheif()
  const context = heif.heif_context_alloc()
  try {
    checked(heif.heif_context_read_from_memory(context, bytes))
    const handle = checked(heif.heif_js_context_get_primary_image_handle(context))
    try {
      return use(heif, handle)
    } finally {
      heif.heif_image_handle_release(handle)
    }
  } finally {
    heif.heif_context_free(context)
  }
}

/** What libheif gives, unless it is one of its errors. */
function checked(result: unknown): unknown {
  const { data: error } = failure.safeParse(result)
  const ok = z.union([z.literal(0), z.object({ value: z.literal(0) })]).safeParse(error?.code).success
  if (error !== undefined && !ok) throw new Error(error.message)
  return result
}
