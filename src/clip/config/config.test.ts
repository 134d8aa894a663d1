import { describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { CLIP_MEAN, CLIP_STD, parseHuggingFaceConfig, parseOpenClipConfig } from './index.ts'

const file = (name: string, value: unknown) => (value === undefined ? undefined : { name, text: JSON.stringify(value) })
const hugging = (config: unknown, preprocessor?: unknown, processor?: unknown) =>
  parseHuggingFaceConfig(
    { name: 'm/config.json', text: JSON.stringify(config) },
    {
      preprocessor: file('m/preprocessor_config.json', preprocessor),
      processor: file('m/processor_config.json', processor),
    },
  )
const open = (config: unknown) => parseOpenClipConfig({ name: 'm/open_clip_config.json', text: JSON.stringify(config) })

function thrownBy(read: () => unknown): FileError {
  try {
    read()
  } catch (error) {
    if (error instanceof FileError) return error
  }
  throw new Error('no FileError')
}

/** CLIP ViT-B/32, which is what transformers' defaults describe. */
const base32 = {
  embedDim: 512,
  text: {
    vocabSize: 49408,
    contextLength: 77,
    width: 512,
    heads: 8,
    layers: 12,
    mlpWidth: 2048,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  vision: {
    kind: 'vit',
    imageSize: 224,
    patchSize: 32,
    width: 768,
    heads: 12,
    layers: 12,
    mlpWidth: 3072,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  },
  preprocess: { size: 224, mean: CLIP_MEAN, std: CLIP_STD },
}

describe('Hugging Face', () => {
  it('fills in the defaults that files leave out', () => {
    expect(hugging({ model_type: 'clip', text_config: { eos_token_id: 2 }, vision_config: null })).toEqual(base32)
    expect(hugging({})).toEqual(base32)
  })

  it('reads sizes, activation and preprocessing', () => {
    const config = hugging(
      {
        projection_dim: 768,
        text_config: { hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072, hidden_act: 'gelu' },
        vision_config: {
          hidden_size: 1024,
          num_attention_heads: 16,
          num_hidden_layers: 24,
          patch_size: 14,
          image_size: 336,
        },
      },
      {
        size: { shortest_edge: 336 },
        crop_size: { height: 336, width: 336 },
        image_mean: [0.5, 0.5, 0.5],
        image_std: [1, 1, 1],
      },
    )
    expect(config.embedDim).toBe(768)
    expect(config.text).toMatchObject({ width: 768, heads: 12, activation: 'gelu' })
    expect(config.vision).toMatchObject({
      kind: 'vit',
      width: 1024,
      layers: 24,
      patchSize: 14,
      activation: 'quick_gelu',
    })
    expect(config.preprocess).toEqual({ size: 336, mean: [0.5, 0.5, 0.5], std: [1, 1, 1] })
  })

  it('lets the older *_config_dict win, as transformers does', () => {
    expect(hugging({ text_config: { hidden_size: 64 }, text_config_dict: { hidden_size: 256 } }).text.width).toBe(256)
  })

  it('reads processor_config.json of transformers 5, before preprocessor_config.json', () => {
    const values = { image_mean: [0.5, 0.5, 0.5], image_std: [1, 1, 1] }
    const nested = { processor_class: 'CLIPProcessor', image_processor: { ...values, crop_size: 224 } }
    const wanted = { size: 224, mean: [0.5, 0.5, 0.5], std: [1, 1, 1] }
    expect(hugging({}, undefined, nested).preprocess).toEqual(wanted)
    expect(hugging({}, { ...values, size: 224 }, nested).preprocess).toEqual(wanted)
    // before transformers 5 it says nothing of pictures
    expect(hugging({}, values, { processor_class: 'CLIPProcessor' }).preprocess).toEqual(wanted)
  })

  it('squashes where both sides are given, or a number is meant for both', () => {
    const square = { height: 224, width: 224 }
    for (const given of [
      { size: square },
      { size: square, do_center_crop: false, crop_size: 100 },
      { size: { ...square, shortest_edge: null } },
      { size: 224, default_to_square: true },
    ]) {
      expect(hugging({}, given).preprocess.resize).toBe('squash')
    }
    for (const given of [{ size: 224 }, { size: { shortest_edge: 224 }, default_to_square: true }]) {
      expect(hugging({}, given).preprocess.resize).toBeUndefined()
    }
    const cfg = { embed_dim: 8, vision_cfg: {}, text_cfg: {} }
    expect(open({ model_cfg: cfg, preprocess_cfg: { resize_mode: 'squash' } }).preprocess.resize).toBe('squash')
  })

  it('a right file that is not supported is not to be corrected', () => {
    for (const read of [
      () => hugging({}, { size: { shortest_edge: 224, longest_edge: 448 } }),
      () => hugging({}, { resample: 2 }),
      () => hugging({ text_config: { hidden_act: 'gelu_new' } }),
    ]) {
      const error = thrownBy(read)
      expect(error.remedy).toMatch(/^(supported is|use another model)/)
      expect(error.remedy).not.toMatch(/\b(correct|fix|mend)\b/)
    }
  })

  it('reads the older form of sizes', () => {
    expect(hugging({}, { size: 224, crop_size: 224, resample: 3 }).preprocess.size).toBe(224)
  })
})

describe('OpenCLIP', () => {
  it("reads OpenAI's ResNet-50", () => {
    const config = open({
      model_cfg: {
        embed_dim: 1024,
        quick_gelu: true,
        vision_cfg: { image_size: 224, layers: [3, 4, 6, 3], width: 64, patch_size: null },
        text_cfg: { context_length: 77, vocab_size: 49408, width: 512, heads: 8, layers: 12 },
      },
      preprocess_cfg: { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
    })
    expect(config).toEqual({
      embedDim: 1024,
      text: base32.text,
      vision: { kind: 'resnet', imageSize: 224, width: 64, layers: [3, 4, 6, 3], heads: 32 },
      preprocess: { size: 224, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
    })
  })

  it('takes gelu unless told quick_gelu, and heads from head_width', () => {
    const config = open({
      model_cfg: {
        embed_dim: 1280,
        vision_cfg: {
          image_size: [224, 224],
          layers: 48,
          width: 1664,
          head_width: 104,
          mlp_ratio: 4.9231,
          patch_size: 14,
        },
        text_cfg: { width: 1280, heads: 20, layers: 32, norm_kwargs: { eps: 1e-6 } },
      },
    })
    expect(config.vision).toMatchObject({ heads: 16, mlpWidth: 8192, activation: 'gelu' })
    expect(config.text).toMatchObject({ activation: 'gelu', layerNormEpsilon: 1e-6 })
    expect(config.preprocess).toEqual(base32.preprocess)
  })
})

describe('what is refused, with file and key', () => {
  const model = { embed_dim: 8, vision_cfg: {}, text_cfg: {} }
  const cases: readonly (readonly [what: string, read: () => unknown, message: RegExp])[] = [
    [
      'wrong type',
      () => hugging({ text_config: { hidden_size: '512' } }),
      /config\.json \(text_config\).*\n {2}hidden_size: .*expected number, received string/,
    ],
    ['not a size', () => hugging({ vision_config: { patch_size: 0 } }), /patch_size: .*>0/],
    ['activation', () => hugging({ text_config: { hidden_act: 'gelu_new' } }), /hidden_act: .*quick_gelu/],
    [
      'another model',
      () => hugging({ model_type: 'siglip' }),
      /config\.json: not supported: this is a SigLIP model, .*\(model_type "siglip"\); only CLIP's own towers are supported/,
    ],
    ['heads', () => hugging({ text_config: { num_attention_heads: 7 } }), /512 is not a multiple of 7/],
    [
      'crop size',
      () => hugging({}, { crop_size: 200 }),
      /preprocessor_config\.json: crop_size is 200, the image tower takes 224/,
    ],
    [
      'squashing to another size',
      () => hugging({}, { size: { height: 256, width: 256 } }),
      /preprocessor_config\.json: size\.height is 256, the image tower takes 224/,
    ],
    [
      'a bound for the long side',
      () => hugging({}, { size: { shortest_edge: 224, longest_edge: 448 } }),
      /preprocessor_config\.json: size with longest_edge and shortest_edge is not supported \(supported: a number/,
    ],
    [
      'a crop by an edge',
      () => hugging({}, { crop_size: { shortest_edge: 224 } }),
      /crop_size with shortest_edge is not supported/,
    ],
    ['no crop', () => hugging({}, { do_center_crop: false }), /do_center_crop: false is not supported where only/],
    [
      'the same in processor_config.json',
      () => hugging({}, undefined, { image_processor: { resample: 2 } }),
      /processor_config\.json \(image_processor\)[\s\S]*resample: 2 is not supported/,
    ],
    [
      'a key of processor_config.json',
      () => hugging({}, undefined, { image_processor: { image_men: [0, 0, 0] } }),
      /processor_config\.json \(image_processor\)[\s\S]*did you mean "image_mean"/,
    ],
    [
      'processor_config.json that is not an object',
      () => hugging({}, undefined, []),
      /processor_config\.json[\s\S]*expected object, received array/,
    ],
    [
      'two files that contradict each other',
      () => hugging({}, { image_mean: [0.5, 0.5, 0.5] }, { image_processor: {} }),
      /m\/processor_config\.json \(image_processor\) and m\/preprocessor_config\.json say different things/,
    ],
    [
      'padding to a square',
      () => open({ model_cfg: model, preprocess_cfg: { resize_mode: 'longest' } }),
      /resize_mode: "longest" is not supported \(supported: "shortest", "squash"\)/,
    ],
    ['bilinear', () => hugging({}, { resample: 2 }), /resample: 2 is not supported/],
    ['zero deviation', () => hugging({}, { image_std: [0, 1, 1] }), /image_std\.0/],
    [
      'text tower of another kind',
      () => open({ model_cfg: { ...model, text_cfg: { hf_model_name: 'roberta-base' } } }),
      /not supported: this model has a Hugging Face text tower \("roberta-base"\); only CLIP's own/,
    ],
    [
      'timm image tower',
      () => open({ model_cfg: { ...model, vision_cfg: { timm_model_name: 'convnext_base' } } }),
      /this model has a timm image tower \("convnext_base", ConvNeXt\)/,
    ],
    [
      'SigLIP in the OpenCLIP layout',
      () =>
        open({
          model_cfg: {
            embed_dim: 768,
            init_logit_bias: -10,
            custom_text: true,
            vision_cfg: { image_size: 224, timm_model_name: 'vit_base_patch16_siglip_224', timm_pool: 'map' },
            text_cfg: {
              context_length: 64,
              vocab_size: 32000,
              no_causal_mask: true,
              proj_bias: true,
              pool_type: 'last',
            },
          },
        }),
      /a timm image tower \("vit_base_patch16_siglip_224", SigLIP\), a text tower that is not causal, a logit bias/,
    ],
    [
      'CoCa',
      () =>
        open({
          model_cfg: {
            embed_dim: 512,
            custom_text: true,
            multimodal_cfg: { context_length: 76 },
            vision_cfg: { layers: 12, width: 768, patch_size: 32, attentional_pool: true, attn_pooler_heads: 8 },
            text_cfg: { context_length: 76, embed_cls: true },
          },
        }),
      /a caption decoder \(CoCa\), an image tower that pools by attention/,
    ],
    [
      'one tower of a CLIP',
      () => hugging({ model_type: 'clip_vision_model', hidden_size: 768 }),
      /this is only the image tower of a CLIP/,
    ],
    [
      'a slip of the pen',
      () => hugging({ text_config: { hiden_size: 64 } }),
      /"hiden_size" .*did you mean "hidden_size"\?/,
    ],
    [
      'another slip',
      () => open({ model_cfg: { ...model, quickgelu: true } }),
      /open_clip_config\.json \(model_cfg\) .*\n {2}"quickgelu" is not a known key \(did you mean "quick_gelu"\?/,
    ],
    [
      'a key in the wrong place',
      () => open({ model_cfg: { ...model, vision_cfg: { quick_gelu: true } } }),
      /\(model_cfg\.vision_cfg\)[\s\S]*"quick_gelu" is not a known key/,
    ],
    ['new kinds of models', () => hugging({ vision_config: { use_rope: true } }), /\(vision_config\)[\s\S]*"use_rope"/],
    [
      'no configuration of a model',
      () => hugging({ architecture: 'resnet50_clip', num_classes: 1024 }),
      /"architecture"/,
    ],
    [
      'preprocessing',
      () => hugging({}, { image_men: [0, 0, 0] }),
      /preprocessor_config[\s\S]*did you mean "image_mean"/,
    ],
    ['quantised weights', () => hugging({ quantization_config: { bits: 4 } }), /quantization_config: .* not supported/],
    [
      'another image processor',
      () => hugging({}, { image_processor_type: 'SiglipImageProcessor' }),
      /image_processor_type: only the image processor of CLIP/,
    ],
    [
      'pooling',
      () => open({ model_cfg: { ...model, text_cfg: { pool_type: 'last' } } }),
      /pool_type: "last" is not supported \(supported: "argmax"\)/,
    ],
    [
      'all at once',
      () => open({ model_cfg: { ...model, text_cfg: { width: 'x' }, vision_cfg: { layers: [1, 2] } } }),
      /layers[\s\S]*width|width[\s\S]*layers/,
    ],
    ['no model', () => open({}), /open_clip_config\.json.*\n {2}model_cfg: .*expected object, received undefined/],
    [
      'image that is not square',
      () => open({ model_cfg: { ...model, vision_cfg: { image_size: [224, 320] } } }),
      /image_size is 224 x 320/,
    ],
    [
      'ResNet image size',
      () => open({ model_cfg: { ...model, vision_cfg: { image_size: 100, layers: [1, 1, 1, 1], width: 64 } } }),
      /100 is not a multiple of 32/,
    ],
    ['not an object', () => open([]), /\(the whole file\): .*expected object, received array/],
  ]
  it.each(cases)('%s', (_, read, message) => {
    expect(read).toThrow(FileError)
    expect(read).toThrow(message)
  })

  it('a key twice', () => {
    expect(() => parseOpenClipConfig({ name: 'c.json', text: '{"model_cfg": 1, "model_cfg": 2}' })).toThrow(
      /c\.json:1:\d+: the key "model_cfg" appears twice/,
    )
  })
})
