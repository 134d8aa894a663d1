import { describe, expect, it } from 'vitest'
import { parseHuggingFaceConfig } from '../config/index.ts'
import { expectedTensors } from './expected.ts'
import { huggingFaceNames, openClipNames, originShape } from './names.ts'

const config = parseHuggingFaceConfig({
  name: 'config.json',
  text: JSON.stringify({ text_config: { num_hidden_layers: 12 }, vision_config: { num_hidden_layers: 12 } }),
})
const expected = expectedTensors(config)

describe('Hugging Face names', () => {
  it('lead from every canonical tensor to names of the file and back', () => {
    for (const canonical of expected.keys()) {
      const { names } = huggingFaceNames.originOf(canonical)
      for (const name of names) expect(huggingFaceNames.canonical(name), name).toBe(canonical)
    }
  })

  it('are all different, and none is a canonical one but the logit scale', () => {
    const names = [...expected.keys()].flatMap((canonical) => huggingFaceNames.originOf(canonical).names)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => expected.has(name))).toEqual(['logit_scale'])
    expect(names.length).toBe(24 * 16 + 14)
  })

  it.each([
    [
      'transformer.resblocks.11.attn.in_proj_bias',
      [1536],
      'stack',
      'text_model.encoder.layers.11.self_attn.q_proj.bias',
      [512],
    ],
    [
      'visual.transformer.resblocks.0.attn.in_proj_weight',
      [2304, 768],
      'stack',
      'vision_model.encoder.layers.0.self_attn.q_proj.weight',
      [768, 768],
    ],
    [
      'visual.transformer.resblocks.3.mlp.c_fc.weight',
      [3072, 768],
      'copy',
      'vision_model.encoder.layers.3.mlp.fc1.weight',
      [3072, 768],
    ],
    ['text_projection', [512, 512], 'transpose', 'text_projection.weight', [512, 512]],
    ['visual.proj', [768, 512], 'transpose', 'visual_projection.weight', [512, 768]],
    ['visual.ln_pre.weight', [768], 'copy', 'vision_model.pre_layrnorm.weight', [768]],
    ['visual.positional_embedding', [50, 768], 'copy', 'vision_model.embeddings.position_embedding.weight', [50, 768]],
  ])('%s', (canonical, shape, change, name, fileShape) => {
    expect(expected.get(canonical)).toEqual(shape)
    const source = huggingFaceNames.originOf(canonical)
    expect(source.change).toBe(change)
    expect(source.names[0]).toBe(name)
    expect(originShape(source, shape)).toEqual(fileShape)
  })

  it('stack q, k, v in this order', () => {
    const { names } = huggingFaceNames.originOf('transformer.resblocks.0.attn.in_proj_weight')
    expect(names.map((name) => name.split('.').at(-2))).toEqual(['q_proj', 'k_proj', 'v_proj'])
  })

  it('ignore index tables and do not know anything else', () => {
    expect(huggingFaceNames.ignored('text_model.embeddings.position_ids')).toBe(true)
    expect(huggingFaceNames.ignored('vision_model.embeddings.position_ids')).toBe(true)
    expect(huggingFaceNames.ignored('text_model.final_layer_norm.bias')).toBe(false)
    for (const name of [
      'module.logit_scale',
      'text_model.encoder.layers.x.layer_norm1.bias',
      'ln_final.weight',
      'toString',
    ]) {
      expect(huggingFaceNames.canonical(name), name).toBeUndefined()
    }
  })
})

it('OpenCLIP names are the canonical ones; counters and masks are ignored', () => {
  expect(openClipNames.originOf('visual.proj')).toEqual({ names: ['visual.proj'], change: 'copy' })
  expect(openClipNames.ignored('visual.layer1.0.bn1.num_batches_tracked')).toBe(true)
  expect(openClipNames.ignored('attn_mask')).toBe(true)
  expect(openClipNames.ignored('context_length')).toBe(true)
  expect(openClipNames.ignored('visual.proj')).toBe(false)
})
