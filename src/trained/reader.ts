import type { RgbImage } from '../clip/types.ts'
import type { FeatureCache } from '../data/features.ts'
import type { DecodeOptions, Exif, Picture } from '../pictures/picture.ts'
import type { Preparation } from '../pictures/prepare.ts'
import type { View } from '../pictures/views.ts'

/** How a platform reads pictures. */
export interface PictureReader {
  /** Hex SHA-256 of what a picture is: the same content, the same features. Throws for what cannot be read. */
  content(picture: Picture, exif: Exif): Promise<string>
  /** Decodes a picture, which messages call `name`. Throws FileError for what cannot be read. */
  decode(picture: Picture, name: string, exif: Exif): Promise<RgbImage>
  /** What `prepared` gives for each view of a picture, which is decoded once, here or on another thread. Throws as `decode`. */
  pixels(
    picture: Picture,
    name: string,
    how: Preparation & DecodeOptions,
    views: readonly (View | undefined)[],
  ): Promise<readonly Float32Array[]>
  /** What keeps an encoder's features between runs; undefined: nothing does. */
  cache?(encoderKey: string, dim: number): FeatureCache | undefined
}
