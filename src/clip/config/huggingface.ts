import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import { ACTIVATIONS, type ClipConfig, type PreprocessConfig } from '../types.ts'
import { checkKeys, HARMLESS } from './keys.ts'
import {
  CLIP_MEAN,
  CLIP_STD,
  type ConfigFile,
  checked,
  layerCount,
  OTHER_MODEL,
  only,
  optional,
  positive,
  rgb,
  rgbPositive,
  size,
} from './schema.ts'
import { checkModelType } from './towers.ts'

// config.json + preprocessor_config.json. Files leave out what equals the defaults of transformers.

const activation = z.enum(ACTIVATIONS)

const hfText = z.object({
  model_type: only('clip_text_model'),
  vocab_size: optional(size, 49408),
  max_position_embeddings: optional(size, 77),
  hidden_size: optional(size, 512),
  num_attention_heads: optional(size, 8),
  num_hidden_layers: optional(layerCount, 12),
  intermediate_size: optional(size, 2048),
  hidden_act: optional(activation, 'quick_gelu'),
  layer_norm_eps: optional(positive, 1e-5),
})

const hfVision = z.object({
  model_type: only('clip_vision_model'),
  num_channels: only(3),
  image_size: optional(size, 224),
  patch_size: optional(size, 32),
  hidden_size: optional(size, 768),
  num_attention_heads: optional(size, 12),
  num_hidden_layers: optional(layerCount, 12),
  intermediate_size: optional(size, 3072),
  hidden_act: optional(activation, 'quick_gelu'),
  layer_norm_eps: optional(positive, 1e-5),
})

const fields = z.record(z.string(), z.unknown()).nullish()

const hfConfig = z.object({
  model_type: only('clip'),
  quantization_config: only(),
  projection_dim: optional(size, 512),
  text_config: fields,
  text_config_dict: fields,
  vision_config: fields,
  vision_config_dict: fields,
})

/** Sizes as image processors write them: 224, {shortest_edge: 224} or {height: 224, width: 224}. */
const cropSize = z.union([size, z.object({ height: size, width: size })])
const shortSide = z.union([size, z.object({ shortest_edge: size })])

/** CLIPImageProcessor, CLIPImageProcessorFast, CLIPFeatureExtractor of old. */
const clipProcessor = z
  .string()
  .regex(/^CLIP(?:ImageProcessor|FeatureExtractor)/, 'only the image processor of CLIP is supported')
  .nullish()

const hfPreprocessor = z.object({
  image_processor_type: clipProcessor,
  feature_extractor_type: clipProcessor,
  do_flip_channel_order: only(false),
  do_pad: only(false),
  do_resize: only(true),
  do_center_crop: only(true),
  do_rescale: only(true),
  do_normalize: only(true),
  resample: only(3),
  size: shortSide.nullish(),
  crop_size: cropSize.nullish(),
  rescale_factor: z.number().min(0.0039215).max(0.0039216).nullish(),
  image_mean: optional(rgb, [...CLIP_MEAN]),
  image_std: optional(rgbPositive, [...CLIP_STD]),
})

/**
 * Configuration of a CLIP in the Hugging Face layout. `preprocessor` may be missing: CLIP's own settings then.
 * `eos_token_id` is not read: old files hold a wrong 2 there, and the end token comes from the vocabulary.
 * Throws FileError naming file and keys.
 */
export function parseHuggingFaceConfig(config: ConfigFile, preprocessor?: ConfigFile): ClipConfig {
  const parsed = parseJson(config.text, config.name)
  checkModelType(config.name, parsed)
  checkKeys(config.name, parsed, Object.keys(hfConfig.shape), HARMLESS.huggingFace)
  const top = readSchema(hfConfig, parsed, config.name)
  // transformers lets the older `*_config_dict` win over `*_config`.
  const text = readTower(hfText, { ...top.text_config, ...top.text_config_dict }, `${config.name} (text_config)`)
  const vision = readTower(
    hfVision,
    { ...top.vision_config, ...top.vision_config_dict },
    `${config.name} (vision_config)`,
  )
  return checked(config.name, {
    embedDim: top.projection_dim,
    text: {
      vocabSize: text.vocab_size,
      contextLength: text.max_position_embeddings,
      width: text.hidden_size,
      heads: text.num_attention_heads,
      layers: text.num_hidden_layers,
      mlpWidth: text.intermediate_size,
      activation: text.hidden_act,
      layerNormEpsilon: text.layer_norm_eps,
    },
    vision: {
      kind: 'vit',
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      width: vision.hidden_size,
      heads: vision.num_attention_heads,
      layers: vision.num_hidden_layers,
      mlpWidth: vision.intermediate_size,
      activation: vision.hidden_act,
      layerNormEpsilon: vision.layer_norm_eps,
    },
    preprocess: huggingFacePreprocess(vision.image_size, preprocessor),
  })
}

function readTower<Schema extends z.ZodObject>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  checkKeys(where, value, Object.keys(schema.shape), HARMLESS.huggingFaceTower)
  return readSchema(schema, value, where)
}

function huggingFacePreprocess(imageSize: number, file?: ConfigFile): PreprocessConfig {
  if (file === undefined) return { size: imageSize, mean: CLIP_MEAN, std: CLIP_STD }
  const parsed = parseJson(file.text, file.name)
  checkKeys(file.name, parsed, Object.keys(hfPreprocessor.shape), HARMLESS.preprocessor)
  const given = readSchema(hfPreprocessor, parsed, file.name)
  const resize = typeof given.size === 'object' ? given.size?.shortest_edge : given.size
  const crop = typeof given.crop_size === 'object' ? given.crop_size?.height : given.crop_size
  const cropWidth = typeof given.crop_size === 'object' ? given.crop_size?.width : given.crop_size
  for (const [key, pixels] of Object.entries({ size: resize, crop_size: crop, 'crop_size.width': cropWidth })) {
    if (pixels !== undefined && pixels !== null && pixels !== imageSize) {
      throw new FileError(
        `${file.name}: ${key} is ${pixels}, the image tower takes ${imageSize}; other sizes are not supported`,
        OTHER_MODEL,
      )
    }
  }
  return { size: imageSize, mean: given.image_mean, std: given.image_std }
}
