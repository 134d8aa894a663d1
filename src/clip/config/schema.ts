import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import type { ClipConfig } from '../types.ts'

/** A configuration file: its text and what messages call it. */
export interface ConfigFile {
  readonly name: string
  readonly text: string
}

/** CLIP's own mean and deviation of RGB, in fractions of 1. */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const

/** What to do about a configuration that says what no CLIP, or none that is supported here, can be. */
export const OTHER_MODEL =
  'use another model (coop-ts models lists some; docs/models.md says what is supported), or the file as its maker published it'

export const size = z.int().positive()
/** Far above any CLIP; a damaged number must not become a list of billions of expected tensors. */
const MAX_LAYERS = 1000
export const layerCount = size.max(MAX_LAYERS)
export const positive = z.number().positive()
export const rgb = z.tuple([z.number(), z.number(), z.number()])
export const rgbPositive = z.tuple([positive, positive, positive])
export const optional = <T extends z.ZodType>(schema: T, value: z.output<T>) =>
  schema.nullish().transform((given): z.output<T> => given ?? value)

/** A key that must be absent, null or one of `values`: anything else is another computation than ours. */
export const only = (...values: readonly unknown[]) =>
  z
    .unknown()
    .refine((given) => given === null || values.includes(given), {
      error: ({ input }) =>
        `${JSON.stringify(input)} is not supported (supported: ${values.length === 0 ? 'nothing but null' : values.map((v) => JSON.stringify(v)).join(', ')})`,
    })
    .optional()

/** Sizes that must divide one another. */
export function checked(file: string, config: ClipConfig): ClipConfig {
  const { text, vision } = config
  const divides = (whole: number, part: number, what: string) => {
    if (!Number.isInteger(whole / part))
      throw new FileError(`${file}: ${what}: ${whole} is not a multiple of ${part}`, OTHER_MODEL)
  }
  divides(text.width, text.heads, 'width of the text tower and its heads')
  if (vision.kind === 'vit') {
    divides(vision.width, vision.heads, 'width of the image tower and its heads')
    // A convolution drops a rest at the border; the position embedding counts whole patches.
    if (vision.patchSize > vision.imageSize)
      throw new FileError(`${file}: a patch is larger than the image`, OTHER_MODEL)
  } else {
    divides(vision.width * 32, vision.heads, 'width of the attention pooling and its heads')
    divides(vision.width, 2, 'width of the stem and the half of it that its first convolutions have')
    divides(vision.imageSize, 32, 'image size and the strides of the image tower')
  }
  return config
}
