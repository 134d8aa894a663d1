import { describe, expect, it } from 'vitest'
import { architectureOf, KNOWN_MODELS, parametersOf } from '../known-models.ts'
import type { ClipConfig } from '../types.ts'
import { parseHuggingFaceConfig, parseOpenClipConfig } from './index.ts'

// Configurations as they lie on the hub, with all the keys of old that mean nothing here.

/** What transformers of 2021 wrote into every configuration, and into each tower of a CLIP. */
const OLD_KEYS = {
  return_dict: true,
  output_hidden_states: false,
  output_attentions: false,
  torchscript: false,
  use_bfloat16: false,
  pruned_heads: {},
  is_encoder_decoder: false,
  is_decoder: false,
  cross_attention_hidden_size: null,
  add_cross_attention: false,
  tie_encoder_decoder: false,
  max_length: 20,
  min_length: 0,
  do_sample: false,
  early_stopping: false,
  num_beams: 1,
  num_beam_groups: 1,
  diversity_penalty: 0.0,
  temperature: 1.0,
  top_k: 50,
  top_p: 1.0,
  repetition_penalty: 1.0,
  length_penalty: 1.0,
  no_repeat_ngram_size: 0,
  encoder_no_repeat_ngram_size: 0,
  bad_words_ids: null,
  num_return_sequences: 1,
  chunk_size_feed_forward: 0,
  output_scores: false,
  return_dict_in_generate: false,
  forced_bos_token_id: null,
  forced_eos_token_id: null,
  remove_invalid_values: false,
  architectures: null,
  finetuning_task: null,
  id2label: { '0': 'LABEL_0', '1': 'LABEL_1' },
  label2id: { LABEL_0: 0, LABEL_1: 1 },
  tokenizer_class: null,
  prefix: null,
  sep_token_id: null,
  decoder_start_token_id: null,
  task_specific_params: null,
  problem_type: null,
  transformers_version: '4.16.0.dev0',
  torch_dtype: null,
  tie_word_embeddings: true,
  _name_or_path: '',
  model_type: '',
}
const LATER_KEYS = {
  tf_legacy_loss: false,
  typical_p: 1.0,
  exponential_decay_length_penalty: null,
  suppress_tokens: null,
  begin_suppress_tokens: null,
}

const oldText = {
  ...OLD_KEYS,
  model_type: 'clip_text_model',
  bos_token_id: 0,
  pad_token_id: 1,
  eos_token_id: 2,
  vocab_size: 49408,
  hidden_size: 512,
  intermediate_size: 2048,
  dropout: 0.0,
  num_hidden_layers: 12,
  num_attention_heads: 8,
  max_position_embeddings: 77,
  layer_norm_eps: 1e-5,
  hidden_act: 'quick_gelu',
  initializer_range: 0.02,
  initializer_factor: 1.0,
  attention_dropout: 0.0,
  gradient_checkpointing: false,
}
const oldVision = {
  ...OLD_KEYS,
  model_type: 'clip_vision_model',
  bos_token_id: null,
  pad_token_id: null,
  eos_token_id: null,
  hidden_size: 768,
  intermediate_size: 3072,
  dropout: 0.0,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  patch_size: 32,
  image_size: 224,
  initializer_range: 0.02,
  initializer_factor: 1.0,
  attention_dropout: 0.0,
  layer_norm_eps: 1e-5,
  hidden_act: 'quick_gelu',
}
const top = {
  architectures: ['CLIPModel'],
  initializer_factor: 1.0,
  logit_scale_init_value: 2.6592,
  model_type: 'clip',
  projection_dim: 512,
  torch_dtype: 'float32',
  transformers_version: null,
}
/** `*_config_dict` of a later transformers: what differs from the defaults. */
const largeText = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_attention_heads: 12,
  num_hidden_layers: 12,
  projection_dim: 768,
}
const largeVision = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_attention_heads: 16,
  num_hidden_layers: 24,
  patch_size: 14,
  projection_dim: 768,
}

const preprocessor = {
  crop_size: 224,
  do_center_crop: true,
  do_normalize: true,
  do_resize: true,
  feature_extractor_type: 'CLIPFeatureExtractor',
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  resample: 3,
  size: 224,
}
const newPreprocessor = {
  ...preprocessor,
  feature_extractor_type: undefined,
  image_processor_type: 'CLIPImageProcessor',
  crop_size: { height: 224, width: 224 },
  do_convert_rgb: true,
  do_rescale: true,
  rescale_factor: 0.00392156862745098,
  size: { shortest_edge: 224 },
  processor_class: 'CLIPProcessor',
  _valid_processor_keys: ['images', 'do_resize'],
}

const hugging = (config: unknown, pre: unknown): ClipConfig =>
  parseHuggingFaceConfig(
    { name: 'config.json', text: JSON.stringify(config) },
    { preprocessor: { name: 'preprocessor_config.json', text: JSON.stringify(pre) } },
  )
const known = (id: string): ClipConfig => {
  const found = KNOWN_MODELS.find((model) => model.id === id)
  if (found === undefined) throw new Error(`${id} is not known`)
  return found.config
}

describe('Hugging Face', () => {
  const { _name_or_path: _, ...withoutName } = OLD_KEYS
  const cases: readonly (readonly [id: string, config: unknown, preprocessor: unknown])[] = [
    [
      'openai/clip-vit-base-patch32',
      { ...top, text_config: oldText, text_config_dict: null, vision_config: oldVision, vision_config_dict: null },
      preprocessor,
    ],
    [
      'openai/clip-vit-base-patch16',
      {
        ...top,
        _name_or_path: 'openai/clip-vit-base-patch16',
        text_config: { ...oldText, ...LATER_KEYS, hidden_size: 512, projection_dim: 512 },
        vision_config: { ...oldVision, ...LATER_KEYS, patch_size: 16 },
      },
      newPreprocessor,
    ],
    [
      'openai/clip-vit-large-patch14',
      {
        ...top,
        _name_or_path: 'clip-vit-large-patch14/',
        projection_dim: 768,
        text_config: { ...oldText, ...largeText },
        text_config_dict: largeText,
        vision_config: { ...oldVision, ...largeVision },
        vision_config_dict: largeVision,
      },
      preprocessor,
    ],
    [
      'openai/clip-vit-large-patch14-336',
      {
        ...top,
        _commit_hash: null,
        projection_dim: 768,
        text_config: { ...oldText, ...LATER_KEYS, ...largeText },
        vision_config: { ...oldVision, ...LATER_KEYS, ...largeVision, image_size: 336 },
      },
      { ...preprocessor, crop_size: 336, size: 336 },
    ],
    [
      'laion/CLIP-ViT-H-14-laion2B-s32B-b79K',
      {
        ...top,
        projection_dim: 1024,
        text_config: {
          ...oldText,
          ...LATER_KEYS,
          hidden_act: 'gelu',
          hidden_size: 1024,
          intermediate_size: 4096,
          num_attention_heads: 16,
          num_hidden_layers: 24,
          projection_dim: 512,
        },
        vision_config: {
          ...oldVision,
          ...LATER_KEYS,
          hidden_act: 'gelu',
          hidden_size: 1280,
          intermediate_size: 5120,
          num_attention_heads: 16,
          num_channels: 3,
          num_hidden_layers: 32,
          patch_size: 14,
          projection_dim: 512,
        },
      },
      newPreprocessor,
    ],
    [
      'openai/clip-vit-base-patch32',
      { ...withoutName, ...top, dtype: 'float32', bos_token_id: 0, eos_token_id: 2 },
      newPreprocessor,
    ],
  ]
  it.each(cases)('%s', (id, config, pre) => expect(hugging(config, pre)).toEqual(known(id)))

  it.each(['400m', 'fullcc2.5b'])('facebook/metaclip-*-%s', (data) => {
    const [text, vision] = [
      { hidden_size: 512, projection_dim: 512 },
      { patch_size: 32, projection_dim: 512 },
    ]
    const config = (more: object, top: object = {}) => ({
      model_type: 'clip',
      text_config: text,
      vision_config: { ...vision, ...more },
      ...top,
    })
    expect(hugging(config({}), newPreprocessor)).toEqual(known(`facebook/metaclip-b32-${data}`))
    expect(hugging(config({ patch_size: 16 }), newPreprocessor)).toEqual(known(`facebook/metaclip-b16-${data}`))
    const large = config({ ...largeVision, hidden_act: 'quick_gelu' }, { projection_dim: 768, text_config: largeText })
    expect(hugging(large, newPreprocessor)).toEqual(known(`facebook/metaclip-l14-${data}`))
  })
})

describe('OpenCLIP', () => {
  const clipText = { context_length: 77, vocab_size: 49408, width: 512, heads: 8, layers: 12 }
  const preprocess_cfg = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
  const newPreprocess = (size: number) => ({
    size,
    mode: 'RGB',
    ...preprocess_cfg,
    interpolation: 'bicubic',
    resize_mode: 'shortest',
    fill_color: 0,
  })
  const half = { ...preprocess_cfg, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
  const cases: readonly (readonly [id: string, config: unknown])[] = [
    [
      'timm/resnet50_clip.openai',
      {
        model_cfg: {
          embed_dim: 1024,
          vision_cfg: { image_size: 224, layers: [3, 4, 6, 3], width: 64, patch_size: null },
          text_cfg: clipText,
          quick_gelu: true,
        },
        preprocess_cfg: newPreprocess(224),
      },
    ],
    [
      'timm/resnet50x4_clip.openai',
      {
        model_cfg: {
          embed_dim: 640,
          vision_cfg: { image_size: 288, layers: [4, 6, 10, 6], width: 80, patch_size: null },
          text_cfg: { ...clipText, width: 640, heads: 10 },
          quick_gelu: true,
        },
        preprocess_cfg: newPreprocess(288),
      },
    ],
    [
      'laion/CLIP-ViT-B-32-laion2B-s34B-b79K',
      {
        model_cfg: {
          embed_dim: 512,
          vision_cfg: { image_size: 224, layers: 12, width: 768, patch_size: 32 },
          text_cfg: clipText,
        },
        preprocess_cfg,
      },
    ],
    [
      'laion/CLIP-ViT-L-14-laion2B-s32B-b82K',
      {
        model_cfg: {
          embed_dim: 768,
          vision_cfg: { image_size: 224, layers: 24, width: 1024, patch_size: 14 },
          text_cfg: { ...clipText, width: 768, heads: 12 },
        },
        preprocess_cfg: half,
      },
    ],
    [
      'laion/CLIP-ViT-H-14-laion2B-s32B-b79K',
      {
        model_cfg: {
          embed_dim: 1024,
          vision_cfg: { image_size: 224, layers: 32, width: 1280, head_width: 80, patch_size: 14 },
          text_cfg: { ...clipText, width: 1024, heads: 16, layers: 24 },
        },
        preprocess_cfg,
      },
    ],
  ]
  const open = (config: unknown) => parseOpenClipConfig({ name: 'open_clip_config.json', text: JSON.stringify(config) })
  const base = { image_size: 224, layers: 12, width: 768, patch_size: 32 }
  const large = { image_size: 224, layers: 24, width: 1024, patch_size: 14 }
  const largeText = { ...clipText, width: 768, heads: 12 }
  /** [id, vision_cfg, text_cfg, embed_dim, quick_gelu] of open_clip's model_configs and pretrained.py. */
  const later: readonly (readonly [id: string, vision: object, text: object, embed: number, quickGelu: boolean])[] = [
    ['laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K', base, clipText, 512, false],
    ['laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K', { ...base, image_size: 256 }, clipText, 512, false],
    ['laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K', { ...base, patch_size: 16 }, clipText, 512, false],
    ['laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K', large, largeText, 768, false],
    ['apple/DFN2B-CLIP-ViT-B-16', { ...base, patch_size: 16 }, clipText, 512, true],
    ['apple/DFN2B-CLIP-ViT-L-14', large, largeText, 768, true],
  ]
  it.each(later)('%s', (id, vision_cfg, text_cfg, embed_dim, quick_gelu) => {
    const model_cfg = { embed_dim, quick_gelu, vision_cfg, text_cfg }
    expect(open({ model_cfg, preprocess_cfg })).toEqual(known(id))
  })

  it.each(cases)('%s', (id, config) => expect(open(config)).toEqual(known(id)))

  it('timm/vit_base_patch32_clip_224.openai is the same model as that of the Hugging Face layout', () => {
    const config = open({
      model_cfg: {
        embed_dim: 512,
        vision_cfg: { image_size: 224, layers: 12, width: 768, patch_size: 32 },
        text_cfg: { ...clipText, hf_tokenizer_name: 'timm/vit_base_patch32_clip_224.openai' },
        quick_gelu: true,
      },
      preprocess_cfg: newPreprocess(224),
    })
    expect(config).toEqual(known('openai/clip-vit-base-patch32'))
  })
})

describe('the table of known models', () => {
  it('has the published numbers of values', () => {
    const millions = KNOWN_MODELS.map(({ architecture, config }) => [architecture, parametersOf(config)])
    expect(Object.fromEntries(millions)).toEqual({
      RN50: 102_007_137,
      RN101: 119_688_033,
      RN50x4: 178_300_601,
      RN50x16: 290_979_217,
      RN50x64: 623_258_305,
      'ViT-B/32': 151_277_313,
      'ViT-B/32@256px': 151_288_833,
      'ViT-B/16': 149_620_737,
      'ViT-L/14': 427_616_513,
      'ViT-L/14@336px': 427_944_193,
      'ViT-H/14': 986_109_441,
    })
  })

  it('tells architectures, whatever the activation', () => {
    for (const { architecture, config } of KNOWN_MODELS) {
      expect(architectureOf(config)).toBe(architecture)
      expect(architectureOf({ ...config, text: { ...config.text, activation: 'gelu' } })).toBe(architecture)
      expect(architectureOf({ ...config, embedDim: 7 })).toBeUndefined()
      expect(architectureOf({ ...config, text: { ...config.text, layers: 11 } })).toBeUndefined()
    }
  })
})
