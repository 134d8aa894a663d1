import { z } from 'zod'
import { FileError } from '../errors.ts'
import { parseJson } from './json.ts'
import { readSchema } from './schema.ts'
import type { ClipConfig, PreprocessConfig, ResNetConfig, VitConfig } from './types.ts'

/** A configuration file: its text and what messages call it. */
export interface ConfigFile {
  readonly name: string
  readonly text: string
}

/** CLIP's own mean and deviation of RGB, in fractions of 1. */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const

const size = z.int().positive()
const positive = z.number().positive()
const rgb = z.tuple([z.number(), z.number(), z.number()])
const rgbPositive = z.tuple([positive, positive, positive])
const optional = <T extends z.ZodType>(schema: T, value: z.output<T>) =>
  schema.nullish().transform((given): z.output<T> => given ?? value)

/** A key that must be absent, null or one of `values`: anything else is another computation than ours. */
const only = (...values: readonly unknown[]) =>
  z
    .unknown()
    .refine((given) => given === null || values.includes(given), {
      error: ({ input }) =>
        `${JSON.stringify(input)} is not supported (supported: ${values.map((v) => JSON.stringify(v)).join(', ')})`,
    })
    .optional()

// ---- Hugging Face: config.json + preprocessor_config.json. Files leave out what equals the defaults of transformers. ----

const activation = z.enum(['quick_gelu', 'gelu'])

const hfText = z.object({
  model_type: only('clip_text_model'),
  vocab_size: optional(size, 49408),
  max_position_embeddings: optional(size, 77),
  hidden_size: optional(size, 512),
  num_attention_heads: optional(size, 8),
  num_hidden_layers: optional(size, 12),
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
  num_hidden_layers: optional(size, 12),
  intermediate_size: optional(size, 3072),
  hidden_act: optional(activation, 'quick_gelu'),
  layer_norm_eps: optional(positive, 1e-5),
})

const fields = z.record(z.string(), z.unknown()).nullish()

const hfConfig = z.object({
  model_type: only('clip'),
  projection_dim: optional(size, 512),
  text_config: fields,
  text_config_dict: fields,
  vision_config: fields,
  vision_config_dict: fields,
})

/** Sizes as image processors write them: 224, {shortest_edge: 224} or {height: 224, width: 224}. */
const cropSize = z.union([size, z.object({ height: size, width: size })])
const shortSide = z.union([size, z.object({ shortest_edge: size })])

const hfPreprocessor = z.object({
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
  const top = readSchema(hfConfig, parseJson(config.text, config.name), config.name)
  // transformers lets the older `*_config_dict` win over `*_config`.
  const text = readSchema(hfText, { ...top.text_config, ...top.text_config_dict }, `${config.name} (text_config)`)
  const vision = readSchema(
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

function huggingFacePreprocess(imageSize: number, file?: ConfigFile): PreprocessConfig {
  if (file === undefined) return { size: imageSize, mean: CLIP_MEAN, std: CLIP_STD }
  const given = readSchema(hfPreprocessor, parseJson(file.text, file.name), file.name)
  const resize = typeof given.size === 'object' ? given.size?.shortest_edge : given.size
  const crop = typeof given.crop_size === 'object' ? given.crop_size?.height : given.crop_size
  const cropWidth = typeof given.crop_size === 'object' ? given.crop_size?.width : given.crop_size
  for (const [key, pixels] of Object.entries({ size: resize, crop_size: crop, 'crop_size.width': cropWidth })) {
    if (pixels !== undefined && pixels !== null && pixels !== imageSize) {
      throw new FileError(
        `${file.name}: ${key} is ${pixels}, the image tower takes ${imageSize}; other sizes are not supported`,
      )
    }
  }
  return { size: imageSize, mean: given.image_mean, std: given.image_std }
}

// ---- OpenCLIP: open_clip_config.json. Keys left out have the defaults of open_clip's CLIPTextCfg and CLIPVisionCfg. ----

const ownTower = (what: string) =>
  z
    .unknown()
    .refine((given) => given === null, {
      error: ({ input }) => `${what} ${JSON.stringify(input)} is not supported (supported: CLIP's own transformer)`,
    })
    .optional()

const normOptions = z.strictObject({ eps: positive.optional() }).nullish()
const actOptions = z.strictObject({}).nullish()

/** Variants of the transformer block that change what it computes. */
const plainBlocks = {
  qk_norm: only(false),
  scaled_cosine_attn: only(false),
  scale_heads: only(false),
  scale_attn_inner: only(false),
  scale_attn: only(false),
  scale_fc: only(false),
}

const openText = z.object({
  text_arch: only('clip'),
  hf_model_name: ownTower('the text tower of'),
  context_length: optional(size, 77),
  vocab_size: optional(size, 49408),
  width: optional(size, 512),
  heads: optional(size, 8),
  layers: optional(size, 12),
  mlp_ratio: optional(positive, 4),
  norm_kwargs: normOptions,
  act_kwargs: actOptions,
  ls_init_value: only(),
  embed_cls: only(false),
  pool_type: only('argmax'),
  no_causal_mask: only(false),
  final_ln_after_pool: only(false),
  proj_type: only('linear'),
  proj_bias: only(false),
  ...plainBlocks,
})

const openVision = z.object({
  timm_model_name: ownTower('the image tower'),
  image_size: optional(z.union([size, z.tuple([size, size])]), 224),
  layers: optional(z.union([size, z.tuple([size, size, size, size])]), 12),
  width: optional(size, 768),
  head_width: optional(size, 64),
  mlp_ratio: optional(positive, 4),
  patch_size: size.nullish(),
  norm_kwargs: normOptions,
  act_kwargs: actOptions,
  ls_init_value: only(),
  attentional_pool: only(false),
  global_average_pool: only(false),
  input_patchnorm: only(false),
  no_ln_pre: only(false),
  pos_embed_type: only('learnable'),
  pool_type: only('tok'),
  final_ln_after_pool: only(false),
  ...plainBlocks,
})

const openConfig = z.object({
  model_cfg: z.object({
    embed_dim: size,
    quick_gelu: optional(z.boolean(), false),
    init_logit_bias: only(),
    custom_text: only(false),
    multimodal_cfg: ownTower('a multimodal tower'),
    text_cfg: openText,
    vision_cfg: openVision,
  }),
  preprocess_cfg: z
    .object({
      mode: only('RGB'),
      interpolation: only('bicubic'),
      resize_mode: only('shortest'),
      size: z.union([size, z.tuple([size, size])]).nullish(),
      mean: optional(rgb, [...CLIP_MEAN]),
      std: optional(rgbPositive, [...CLIP_STD]),
    })
    .nullish(),
})

type OpenVision = z.output<typeof openVision>

/** Configuration of a CLIP (ViT or ModifiedResNet) in the OpenCLIP layout. Throws FileError naming file and keys. */
export function parseOpenClipConfig(config: ConfigFile): ClipConfig {
  const { model_cfg: model, preprocess_cfg: preprocess } = readSchema(
    openConfig,
    parseJson(config.text, config.name),
    config.name,
  )
  const { text_cfg: text, vision_cfg: vision } = model
  const imageSize = squareSide(vision.image_size, `${config.name}: model_cfg.vision_cfg.image_size`)
  const cropSize = squareSide(preprocess?.size ?? imageSize, `${config.name}: preprocess_cfg.size`)
  if (cropSize !== imageSize) {
    throw new FileError(
      `${config.name}: preprocess_cfg.size is ${cropSize}, the image tower takes ${imageSize}; other sizes are not supported`,
    )
  }
  const activation = model.quick_gelu ? 'quick_gelu' : 'gelu'
  const visionConfig = Array.isArray(vision.layers)
    ? openResNet(vision, imageSize, vision.layers)
    : openVit(vision, imageSize, vision.layers, activation)
  return checked(config.name, {
    embedDim: model.embed_dim,
    text: {
      vocabSize: text.vocab_size,
      contextLength: text.context_length,
      width: text.width,
      heads: text.heads,
      layers: text.layers,
      mlpWidth: Math.trunc(text.width * text.mlp_ratio),
      activation,
      layerNormEpsilon: text.norm_kwargs?.eps ?? 1e-5,
    },
    vision: visionConfig,
    preprocess: { size: imageSize, mean: preprocess?.mean ?? CLIP_MEAN, std: preprocess?.std ?? CLIP_STD },
  })
}

function openResNet(vision: OpenVision, imageSize: number, layers: ResNetConfig['layers']): ResNetConfig {
  return { kind: 'resnet', imageSize, width: vision.width, layers, heads: (vision.width * 32) / vision.head_width }
}

function openVit(
  vision: OpenVision,
  imageSize: number,
  layers: number,
  activation: VitConfig['activation'],
): VitConfig {
  return {
    kind: 'vit',
    imageSize,
    patchSize: vision.patch_size ?? 16,
    width: vision.width,
    heads: Math.trunc(vision.width / vision.head_width),
    layers,
    mlpWidth: Math.trunc(vision.width * vision.mlp_ratio),
    activation,
    layerNormEpsilon: vision.norm_kwargs?.eps ?? 1e-5,
  }
}

function squareSide(side: number | readonly [number, number], where: string): number {
  if (typeof side === 'number') return side
  const [height, width] = side
  if (height !== width) throw new FileError(`${where} is ${height} x ${width}; only square images are supported`)
  return height
}

// ---- Both ----

/** Sizes that must divide one another. */
function checked(file: string, config: ClipConfig): ClipConfig {
  const { text, vision } = config
  const divides = (whole: number, part: number, what: string) => {
    if (!Number.isInteger(whole / part)) throw new FileError(`${file}: ${what}: ${whole} is not a multiple of ${part}`)
  }
  divides(text.width, text.heads, 'width of the text tower and its heads')
  if (vision.kind === 'vit') {
    divides(vision.width, vision.heads, 'width of the image tower and its heads')
    // A convolution drops a rest at the border; the position embedding counts whole patches.
    if (vision.patchSize > vision.imageSize) throw new FileError(`${file}: a patch is larger than the image`)
  } else {
    divides(vision.width * 32, vision.heads, 'width of the attention pooling and its heads')
    divides(vision.width, 2, 'width of the stem, half of which its first convolutions have')
    divides(vision.imageSize, 32, 'image size and the strides of the image tower')
  }
  return config
}
