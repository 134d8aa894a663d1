import { z } from 'zod'
import { aClip, aList, anObject, aRuntime, checkArguments, labelled, someHooks } from '../base/arguments.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import { contentHash } from '../node/content-hash.ts'
import { openFeatureCache } from '../node/feature-cache.ts'
import { decodeImage } from '../node/image.ts'
import { keptContentHash } from '../node/kept-hashes.ts'
import { pixelsBeside } from '../node/picture-pool.ts'
import type { Runtime } from '../runtime/types.ts'
import * as trained from '../trained/pictures.ts'
import type { PictureReader } from '../trained/reader.ts'

/** How pictures are read and turned into features. */
export interface PictureOptions extends trained.EncodeOptions {
  /** Folder in which features are kept; without it they are not. */
  readonly cache?: string
}

/** The same without a choice of precision: a finished run has made it. */
export type PictureWays = Omit<PictureOptions, 'precision'>

/** Pictures of this disk; their hashes and features are kept in the cache folder, if there is one. */
export const pictureReader = (cache?: string): PictureReader => ({
  content: cache === undefined ? contentHash : keptContentHash(cache),
  decode: (picture, name, exif) => decodeImage(picture, name, { exif }),
  pixels: pixelsBeside,
  cache: (encoderKey, dim) => (cache === undefined ? undefined : openFeatureCache(cache, encoderKey, dim)),
})

/**
 * Image features of several sets, computed once and kept in the cache folder. Progress counts all sets as one.
 * Throws FileError naming a picture that cannot be read, or warns and goes on with `skipBadImages`.
 */
export async function encodeSets<const Sets extends readonly trained.PictureSet[]>(
  clip: Clip,
  runtime: Runtime,
  sets: Sets,
  options: PictureOptions = {},
  hooks: Hooks = {},
): Promise<{ readonly [I in keyof Sets]: trained.EncodedItems }> {
  checkArguments(
    'encodeSets',
    { clip, runtime, sets, options, hooks },
    { clip: aClip, runtime: aRuntime, sets: aList, options: anObject, hooks: someHooks },
  )
  const items = sets.map((set) => set?.items)
  checkArguments('encodeSets', { items }, { items: z.array(labelled, { error: 'a list of items for each set' }) })
  return trained.encodeSets(pictureReader(options.cache), clip, runtime, sets, options, hooks)
}
