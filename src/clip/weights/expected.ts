import type { Shape } from '../../graph/tensor.ts'
import type { ClipConfig, ResNetConfig, TextConfig, VitConfig } from '../types.ts'

/** Names and shapes of tensors. */
export type Shapes = ReadonlyMap<string, Shape>

type Entry = readonly [name: string, shape: Shape]

/** Every tensor of a CLIP with this configuration, by OpenAI's / OpenCLIP's names. */
export function expectedTensors(config: ClipConfig): Shapes {
  const { text, vision, embedDim } = config
  const visual = vision.kind === 'vit' ? vitTensors(vision, embedDim) : resNetTensors(vision, embedDim)
  return new Map<string, Shape>([
    ['logit_scale', []],
    ...textTensors(text, embedDim),
    ...visual.map(([name, shape]): Entry => [`visual.${name}`, shape]),
  ])
}

function textTensors({ vocabSize, contextLength, width, layers, mlpWidth }: TextConfig, embedDim: number): Entry[] {
  return [
    ['token_embedding.weight', [vocabSize, width]],
    ['positional_embedding', [contextLength, width]],
    ...transformerTensors(layers, width, mlpWidth),
    ...affine('ln_final', width),
    ['text_projection', [width, embedDim]],
  ]
}

function vitTensors({ imageSize, patchSize, width, layers, mlpWidth }: VitConfig, embedDim: number): Entry[] {
  const patches = Math.floor(imageSize / patchSize) ** 2
  return [
    ['class_embedding', [width]],
    ['positional_embedding', [patches + 1, width]],
    ['conv1.weight', [width, 3, patchSize, patchSize]],
    ...affine('ln_pre', width),
    ...transformerTensors(layers, width, mlpWidth),
    ...affine('ln_post', width),
    ['proj', [width, embedDim]],
  ]
}

function transformerTensors(layers: number, width: number, mlpWidth: number): Entry[] {
  return range(layers).flatMap((layer) => {
    const block = `transformer.resblocks.${layer}`
    return [
      ...affine(`${block}.ln_1`, width),
      [`${block}.attn.in_proj_weight`, [3 * width, width]] as const,
      [`${block}.attn.in_proj_bias`, [3 * width]] as const,
      ...linear(`${block}.attn.out_proj`, width, width),
      ...affine(`${block}.ln_2`, width),
      ...linear(`${block}.mlp.c_fc`, width, mlpWidth),
      ...linear(`${block}.mlp.c_proj`, mlpWidth, width),
    ]
  })
}

/** Channels that a bottleneck puts out for each of its inner channels. */
const EXPANSION = 4

function resNetTensors({ imageSize, width, layers }: ResNetConfig, embedDim: number): Entry[] {
  const stem: Entry[] = [
    ...convolution('conv1', 3, width / 2, 3),
    ...batchNorm('bn1', width / 2),
    ...convolution('conv2', width / 2, width / 2, 3),
    ...batchNorm('bn2', width / 2),
    ...convolution('conv3', width / 2, width, 3),
    ...batchNorm('bn3', width),
  ]
  const stages = layers.flatMap((blocks, stage) => {
    const inner = width * 2 ** stage
    const before = stage === 0 ? width : (inner / 2) * EXPANSION
    return range(blocks).flatMap((block) =>
      bottleneck(`layer${stage + 1}.${block}`, block === 0 ? before : inner * EXPANSION, inner, block === 0),
    )
  })
  const channels = width * 8 * EXPANSION
  const pool: Entry[] = [
    ['attnpool.positional_embedding', [(imageSize / 32) ** 2 + 1, channels]],
    ...['q_proj', 'k_proj', 'v_proj'].flatMap((part) => linear(`attnpool.${part}`, channels, channels)),
    ...linear('attnpool.c_proj', channels, embedDim),
  ]
  return [...stem, ...stages, ...pool]
}

function bottleneck(name: string, channels: number, inner: number, first: boolean): Entry[] {
  const outer = inner * EXPANSION
  const shortcut = first
    ? [...convolution(`${name}.downsample.0`, channels, outer, 1), ...batchNorm(`${name}.downsample.1`, outer)]
    : []
  return [
    ...convolution(`${name}.conv1`, channels, inner, 1),
    ...batchNorm(`${name}.bn1`, inner),
    ...convolution(`${name}.conv2`, inner, inner, 3),
    ...batchNorm(`${name}.bn2`, inner),
    ...convolution(`${name}.conv3`, inner, outer, 1),
    ...batchNorm(`${name}.bn3`, outer),
    ...shortcut,
  ]
}

function linear(name: string, from: number, to: number): Entry[] {
  return [
    [`${name}.weight`, [to, from]],
    [`${name}.bias`, [to]],
  ]
}

function convolution(name: string, from: number, to: number, side: number): Entry[] {
  return [[`${name}.weight`, [to, from, side, side]]]
}

function affine(name: string, width: number): Entry[] {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ]
}

function batchNorm(name: string, channels: number): Entry[] {
  return [...affine(name, channels), [`${name}.running_mean`, [channels]], [`${name}.running_var`, [channels]]]
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i)
}
