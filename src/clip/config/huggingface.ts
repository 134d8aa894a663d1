import { z } from 'zod'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import { ACTIVATIONS, type ClipConfig } from '../types.ts'
import { checkKeys, HARMLESS } from './keys.ts'
import { huggingFacePreprocess, type Processors } from './preprocess.ts'
import { type ConfigFile, checked, layerCount, OTHER_MODEL, only, optional, positive, size } from './schema.ts'
import { checkModelType } from './towers.ts'

// config.json; its preprocessing is read in preprocess.ts. Files leave out what equals the defaults of transformers.

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

/**
 * Configuration of a CLIP in the Hugging Face layout. `eos_token_id` is not read: old files hold a wrong 2 there, and the end token comes from the vocabulary.
 * Throws FileError naming file and keys.
 */
export function parseHuggingFaceConfig(config: ConfigFile, processors: Processors = {}): ClipConfig {
  const parsed = parseJson(config.text, config.name)
  checkModelType(config.name, parsed)
  checkKeys(config.name, parsed, Object.keys(hfConfig.shape), HARMLESS.huggingFace)
  const top = readSchema(hfConfig, parsed, config.name, OTHER_MODEL)
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
    preprocess: huggingFacePreprocess(vision.image_size, processors),
  })
}

function readTower<Schema extends z.ZodObject>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  checkKeys(where, value, Object.keys(schema.shape), HARMLESS.huggingFaceTower)
  return readSchema(schema, value, where, OTHER_MODEL)
}
