import { CoopError } from '../../base/errors.ts'
import { SPECIAL_TOKENS, type TokenizerTables } from '../../clip/tokenizer/tokenizer.ts'
import type { ClipConfig, ResNetConfig, TextConfig, VitConfig, Weights } from '../../clip/types.ts'
import { writeSafetensors } from '../../formats/safetensors.ts'
import { type FloatTensor, type IntTensor, intTensor } from '../../graph/tensor.ts'

export interface SaveOptions {
  /** Type of the weights in the file; float16 by default. */
  readonly dtype?: 'float32' | 'float16'
  /** Words for the weights file's metadata. */
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * The files of a model in the OpenCLIP layout, by name: Python's open_clip opens the folder as `local-dir:FOLDER`,
 * transformers' CLIPTokenizer its tokenizer. Throws CoopError when OpenCLIP cannot express the configuration.
 */
export function saveOpenClip(
  config: ClipConfig,
  weights: Weights,
  tables: TokenizerTables,
  { dtype = 'float16', metadata = {} }: SaveOptions = {},
): Map<string, Uint8Array> {
  const tensors = writeSafetensors(withBatchCounters(weights), { format: 'pt', ...metadata }, { dtype })
  const texts = new Map([
    ['open_clip_config.json', json(openClipConfig(config))],
    ...tokenizerFiles(tables, config.text),
  ])
  const encoder = new TextEncoder()
  const files = new Map<string, Uint8Array>([['open_clip_model.safetensors', tensors]])
  for (const [file, text] of texts) files.set(file, encoder.encode(text))
  return files
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** PyTorch's batch normalisation counts its batches in the checkpoint; nothing reads the number. */
function withBatchCounters(weights: Weights): Map<string, FloatTensor | IntTensor> {
  const tensors = new Map<string, FloatTensor | IntTensor>(weights)
  for (const name of weights.keys()) {
    if (name.endsWith('.running_mean'))
      tensors.set(name.replace('running_mean', 'num_batches_tracked'), intTensor([], [0]))
  }
  return tensors
}

function openClipConfig({ embedDim, text, vision, preprocess }: ClipConfig): object {
  if (vision.kind === 'vit' && vision.activation !== text.activation) {
    throw new CoopError(
      `OpenCLIP's configuration has one activation for both towers, not ${text.activation} and ${vision.activation}`,
    )
  }
  return {
    model_cfg: {
      embed_dim: embedDim,
      quick_gelu: text.activation === 'quick_gelu',
      vision_cfg: vision.kind === 'vit' ? vitConfig(vision) : resNetConfig(vision),
      text_cfg: {
        context_length: text.contextLength,
        vocab_size: text.vocabSize,
        // Any name makes open_clip read the tokenizer beside the configuration instead of OpenAI's.
        hf_tokenizer_name: 'local',
        width: text.width,
        heads: text.heads,
        layers: text.layers,
        mlp_ratio: text.mlpWidth / text.width,
        ...normOptions(text),
      },
    },
    preprocess_cfg: {
      size: preprocess.size,
      mode: 'RGB',
      mean: preprocess.mean,
      std: preprocess.std,
      interpolation: 'bicubic',
      resize_mode: preprocess.resize ?? 'shortest',
    },
  }
}

function vitConfig(vision: VitConfig): object {
  return {
    image_size: vision.imageSize,
    patch_size: vision.patchSize,
    layers: vision.layers,
    width: vision.width,
    head_width: vision.width / vision.heads,
    mlp_ratio: vision.mlpWidth / vision.width,
    ...normOptions(vision),
  }
}

function resNetConfig({ imageSize, layers, width, heads }: ResNetConfig): object {
  return { image_size: imageSize, patch_size: null, layers, width, head_width: (width * 32) / heads }
}

function normOptions({ layerNormEpsilon }: { readonly layerNormEpsilon: number }): object {
  return layerNormEpsilon === 1e-5 ? {} : { norm_kwargs: { eps: layerNormEpsilon } }
}

/** vocab.json, merges.txt and the two small files by which transformers knows a CLIPTokenizer. */
export function tokenizerFiles(
  { vocab, merges }: TokenizerTables,
  { contextLength }: Pick<TextConfig, 'contextLength'>,
): Map<string, string> {
  const [start, end] = SPECIAL_TOKENS.find(([token]) => vocab.has(token)) ?? SPECIAL_TOKENS[0]
  const special = { bos_token: start, eos_token: end, unk_token: end, pad_token: end }
  const lines = merges.map(([left, right]) => `${left} ${right}\n`)
  return new Map([
    ['vocab.json', `${JSON.stringify(Object.fromEntries(vocab))}\n`],
    ['merges.txt', `#version: 0.2\n${lines.join('')}`],
    ['special_tokens_map.json', json(special)],
    [
      'tokenizer_config.json',
      json({ ...special, do_lower_case: true, model_max_length: contextLength, tokenizer_class: 'CLIPTokenizer' }),
    ],
  ])
}
