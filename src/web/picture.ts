import type { RgbImage } from '../clip/types.ts'

/** A picture in a page: a File or another Blob, the bytes of a file, or decoded. */
export type WebPicture = Blob | Uint8Array | RgbImage
