import { expect, it } from 'vitest'
import { CoopError } from '../../base/errors.ts'
import { parseOpenClipConfig } from '../../clip/config/index.ts'
import type { ClipConfig } from '../../clip/types.ts'
import { bytesSource, openSafetensors } from '../../formats/safetensors.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { trainBpe } from './bpe-training.ts'
import { saveOpenClip } from './save.ts'

const config: ClipConfig = {
  embedDim: 6,
  text: {
    vocabSize: 520,
    contextLength: 33,
    width: 40,
    heads: 5,
    layers: 2,
    mlpWidth: 100,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-6,
  },
  vision: { kind: 'resnet', imageSize: 64, width: 16, layers: [1, 1, 1, 1], heads: 16 },
  preprocess: { size: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
}
const tables = trainBpe(['low lower lowest low'], 6)

it('writes the files that open_clip and transformers look for', async () => {
  const weights = new Map([['visual.bn1.running_mean', floatTensor([2], Float32Array.of(0.5, 1))]])
  const files = saveOpenClip(config, weights, tables, { metadata: { note: 'x' } })
  const text = (file: string) => new TextDecoder().decode(files.get(file))
  expect([...files.keys()].sort()).toEqual([
    'merges.txt',
    'open_clip_config.json',
    'open_clip_model.safetensors',
    'special_tokens_map.json',
    'tokenizer_config.json',
    'vocab.json',
  ])
  expect(parseOpenClipConfig({ name: 'c', text: text('open_clip_config.json') })).toEqual(config)
  expect(JSON.parse(text('open_clip_config.json'))).toMatchObject({
    model_cfg: { text_cfg: { hf_tokenizer_name: 'local' }, vision_cfg: { head_width: 32, patch_size: null } },
  })
  expect(JSON.parse(text('tokenizer_config.json'))).toMatchObject({
    tokenizer_class: 'CLIPTokenizer',
    model_max_length: 33,
    bos_token: '<|startoftext|>',
    eos_token: '<|endoftext|>',
  })
  expect(text('merges.txt').split('\n').slice(0, 2)).toEqual(['#version: 0.2', 'l o'])

  const file = await openSafetensors(bytesSource('w', files.get('open_clip_model.safetensors') ?? new Uint8Array()))
  expect(file.metadata).toEqual(
    new Map([
      ['format', 'pt'],
      ['note', 'x'],
    ]),
  )
  expect(file.entries.get('visual.bn1.running_mean')?.dtype).toBe('F16')
  // PyTorch's batch normalisation expects its counter beside the running mean.
  expect(file.entries.get('visual.bn1.num_batches_tracked')).toMatchObject({ dtype: 'I64', shape: [] })
})

it('refuses two activations, which OpenCLIP cannot say', () => {
  const vision = {
    kind: 'vit',
    imageSize: 8,
    patchSize: 4,
    width: 8,
    heads: 2,
    layers: 1,
    mlpWidth: 32,
    layerNormEpsilon: 1e-5,
  } as const
  const mixed: ClipConfig = { ...config, vision: { ...vision, activation: 'gelu' } }
  expect(() => saveOpenClip(mixed, new Map(), tables)).toThrow(CoopError)
})
