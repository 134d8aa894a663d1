import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import type { PreprocessConfig } from '../types.ts'
import { checkKeys, HARMLESS } from './keys.ts'
import { CLIP_MEAN, CLIP_STD, type ConfigFile, only, optional, rgb, rgbPositive, size } from './schema.ts'

/** What a model's files say of preprocessing, in the Hugging Face layout. */
export interface Processors {
  /** `preprocessor_config.json`, as transformers before 5 writes it. */
  readonly preprocessor?: ConfigFile
  /** `processor_config.json`, where transformers 5 has the same under `image_processor`. */
  readonly processor?: ConfigFile
}

/** What to do about preprocessing that is not supported. */
export const OTHER_PREPROCESSING =
  "supported is: resized, bicubic, short side or both sides to the image tower's size, the middle of that size, then mean and " +
  'deviation (docs/models.md); use a model that is preprocessed so'

/** CLIPImageProcessor, CLIPImageProcessorFast, CLIPImageProcessorPil, CLIPFeatureExtractor of old. */
const clipProcessor = z
  .string()
  .regex(/^CLIP(?:ImageProcessor|FeatureExtractor)/, 'only the image processor of CLIP is supported')
  .nullish()

/** The sides as image processors write them: 224, {shortest_edge: 224} or {height: 224, width: 224}. */
const sides = z.union([size, z.record(z.string(), z.unknown())]).nullish()

const imageProcessor = z.object({
  image_processor_type: clipProcessor,
  feature_extractor_type: clipProcessor,
  do_flip_channel_order: only(false),
  do_pad: only(false),
  do_resize: only(true),
  do_center_crop: z.boolean().nullish(),
  do_rescale: only(true),
  do_normalize: only(true),
  use_square_size: only(false),
  default_to_square: z.boolean().nullish(),
  resample: only(3),
  size: sides,
  crop_size: sides,
  rescale_factor: z.number().min(0.0039215).max(0.0039216).nullish(),
  image_mean: optional(rgb, [...CLIP_MEAN]),
  image_std: optional(rgbPositive, [...CLIP_STD]),
})

/**
 * The preprocessing of a model in the Hugging Face layout; CLIP's own where no file says it. As in transformers 5,
 * `image_processor` of `processor_config.json` comes before `preprocessor_config.json`.
 * Throws FileError for what is not supported, and for two files that contradict each other.
 */
export function huggingFacePreprocess(imageSize: number, { preprocessor, processor }: Processors): PreprocessConfig {
  const nested = processor && nestedProcessor(processor)
  const own =
    preprocessor && readProcessor(imageSize, parseJson(preprocessor.text, preprocessor.name), preprocessor.name)
  if (processor === undefined || nested === undefined || nested === null) {
    return own ?? { size: imageSize, mean: CLIP_MEAN, std: CLIP_STD }
  }
  const read = readProcessor(imageSize, nested, `${processor.name} (image_processor)`)
  if (own === undefined || JSON.stringify(own) === JSON.stringify(read)) return read
  throw new FileError(
    `${processor.name} (image_processor) and ${preprocessor?.name} say different things of how pictures are preprocessed`,
    'remove the file that the model was not trained with; transformers 5 reads processor_config.json, older versions the other',
  )
}

function nestedProcessor({ text, name }: ConfigFile): unknown {
  const whole = z.looseObject({ image_processor: z.unknown().optional() })
  return readSchema(whole, parseJson(text, name), name, OTHER_PREPROCESSING).image_processor
}

function readProcessor(imageSize: number, value: unknown, where: string): PreprocessConfig {
  checkKeys(where, value, Object.keys(imageProcessor.shape), HARMLESS.preprocessor, OTHER_PREPROCESSING)
  const given = readSchema(imageProcessor, value, where, OTHER_PREPROCESSING)
  const refuse = (what: string) => new FileError(`${where}: ${what}`, OTHER_PREPROCESSING)
  const resized = sidesOf(given.size, 'size', imageSize, refuse)
  const isSquashed = resized === 'square' || (resized === 'number' && given.default_to_square === true)
  // what is squashed to the tower's size is cropped to itself
  if (given.do_center_crop !== false) sidesOf(given.crop_size, 'crop_size', imageSize, refuse)
  else if (!isSquashed) throw refuse('do_center_crop: false is not supported where only the short side is resized')
  return { size: imageSize, mean: given.image_mean, std: given.image_std, resize: isSquashed ? 'squash' : undefined }
}

type Sides = z.output<typeof sides>

/** In which form a size is given. Throws for any size but the tower's. */
function sidesOf(
  given: Sides,
  key: 'size' | 'crop_size',
  imageSize: number,
  refuse: (what: string) => FileError,
): 'number' | 'shortest_edge' | 'square' {
  const is = (pixels: unknown, name: string) => {
    if (pixels !== imageSize) {
      const found = JSON.stringify(pixels)
      throw refuse(`${name} is ${found}, the image tower takes ${imageSize}; other sizes are not supported`)
    }
  }
  if (given === undefined || given === null) return 'shortest_edge'
  if (typeof given === 'number') {
    is(given, key)
    return 'number'
  }
  // transformers writes sizes that do not count as null
  const sizes = Object.entries(given).filter(([, pixels]) => pixels !== null && pixels !== undefined)
  const names = sizes.map(([name]) => name).sort()
  const square = names.join() === 'height,width'
  if (!square && (key === 'crop_size' || names.join() !== 'shortest_edge')) {
    const forms = key === 'size' ? 'a number, {shortest_edge} or {height, width}' : 'a number or {height, width}'
    throw refuse(`${key} with ${names.join(' and ') || 'no sides'} is not supported (supported: ${forms})`)
  }
  for (const [name, pixels] of sizes) is(pixels, `${key}.${name}`)
  return square ? 'square' : 'shortest_edge'
}
