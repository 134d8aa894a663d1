import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import type { ClipConfig, ResNetConfig, VitConfig } from '../types.ts'
import { checkKeys, HARMLESS } from './keys.ts'
import { OTHER_PREPROCESSING } from './preprocess.ts'
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
import { checkTowers, fieldOf } from './towers.ts'

// open_clip_config.json. Keys left out have the defaults of open_clip's CLIPTextCfg and CLIPVisionCfg.

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
  hf_model_name: only(),
  context_length: optional(size, 77),
  vocab_size: optional(size, 49408),
  width: optional(size, 512),
  heads: optional(size, 8),
  layers: optional(layerCount, 12),
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
  block_type: only('default'),
  tokenizer_mode: only('clip'),
  tokenizer_kwargs: z.strictObject({}).nullish(),
  ...plainBlocks,
})

const openVision = z.object({
  timm_model_name: only(),
  image_size: optional(z.union([size, z.tuple([size, size])]), 224),
  layers: optional(z.union([layerCount, z.tuple([layerCount, layerCount, layerCount, layerCount])]), 12),
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
  block_type: only('default'),
  ...plainBlocks,
})

const openModel = z.object({
  embed_dim: size,
  quick_gelu: optional(z.boolean(), false),
  init_logit_bias: only(),
  custom_text: only(false),
  multimodal_cfg: only(),
  text_cfg: openText,
  vision_cfg: openVision,
})

const openPreprocess = z.object({
  mode: only('RGB'),
  interpolation: only('bicubic'),
  resize_mode: only('shortest', 'squash'),
  size: z.union([size, z.tuple([size, size])]).nullish(),
  mean: optional(rgb, [...CLIP_MEAN]),
  std: optional(rgbPositive, [...CLIP_STD]),
})

const openConfig = z.object({ model_cfg: openModel, preprocess_cfg: openPreprocess.nullish() })

/** Parts of the file, from the outermost: what is read of each, and what else may stand there. */
const PARTS: readonly (readonly [path: readonly string[], read: z.ZodObject, harmless: readonly string[]])[] = [
  [[], openConfig, []],
  [['model_cfg'], openModel, HARMLESS.openClipModel],
  [['model_cfg', 'text_cfg'], openText, HARMLESS.openClipText],
  [['model_cfg', 'vision_cfg'], openVision, HARMLESS.openClipVision],
  [['preprocess_cfg'], openPreprocess, HARMLESS.openClipPreprocess],
]

/** The repository whose tokenizer a model uses, where its configuration says it. */
export function openClipTokenizer(config: ConfigFile): string | undefined {
  const name = ['model_cfg', 'text_cfg', 'hf_tokenizer_name'].reduce(fieldOf, parseJson(config.text, config.name))
  return typeof name === 'string' && name !== '' ? name : undefined
}

type OpenVision = z.output<typeof openVision>

/** Configuration of a CLIP (ViT or ModifiedResNet) in the OpenCLIP layout. Throws FileError naming file and keys. */
export function parseOpenClipConfig(config: ConfigFile): ClipConfig {
  const parsed = parseJson(config.text, config.name)
  checkTowers(config.name, parsed)
  for (const [path, { shape }, harmless] of PARTS) {
    const where = path.length === 0 ? config.name : `${config.name} (${path.join('.')})`
    checkKeys(where, path.reduce(fieldOf, parsed), Object.keys(shape), harmless)
  }
  const { model_cfg: model, preprocess_cfg: preprocess } = readSchema(openConfig, parsed, config.name, OTHER_MODEL)
  const { text_cfg: text, vision_cfg: vision } = model
  const imageSize = squareSide(vision.image_size, `${config.name}: model_cfg.vision_cfg.image_size`)
  const cropSize = squareSide(preprocess?.size ?? imageSize, `${config.name}: preprocess_cfg.size`)
  if (cropSize !== imageSize) {
    throw new FileError(
      `${config.name}: preprocess_cfg.size is ${cropSize}, the image tower takes ${imageSize}; other sizes are not supported`,
      OTHER_PREPROCESSING,
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
    preprocess: {
      size: imageSize,
      mean: preprocess?.mean ?? CLIP_MEAN,
      std: preprocess?.std ?? CLIP_STD,
      resize: preprocess?.resize_mode === 'squash' ? 'squash' : undefined,
    },
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
  if (height !== width)
    throw new FileError(`${where} is ${height} x ${width}; only square images are supported`, OTHER_MODEL)
  return height
}
