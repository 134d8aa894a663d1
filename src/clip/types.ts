import type { FloatTensor } from '../graph/tensor.ts'
import type { Tokenizer } from './tokenizer/tokenizer.ts'

/** A decoded picture: 8-bit RGB, row-major `(height, width, 3)`. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

export const ACTIVATIONS = ['quick_gelu', 'gelu'] as const
/** Activation of the towers. */
export type Activation = (typeof ACTIVATIONS)[number]

/** Pre-norm blocks, all alike. */
export interface TransformerConfig {
  readonly width: number
  readonly heads: number
  readonly layers: number
  readonly mlpWidth: number
  readonly activation: Activation
  readonly layerNormEpsilon: number
}

/** The text transformer: causal, end-token pooling. */
export interface TextConfig extends TransformerConfig {
  readonly vocabSize: number
  readonly contextLength: number
}

/** An image tower that is a Vision Transformer. */
export interface VitConfig extends TransformerConfig {
  readonly kind: 'vit'
  readonly imageSize: number
  readonly patchSize: number
}

/** CLIP's ModifiedResNet: three-convolution stem, bottlenecks with anti-aliased strides, attention pooling. */
export interface ResNetConfig {
  readonly kind: 'resnet'
  readonly imageSize: number
  readonly width: number
  /** Bottlenecks in each of the four stages. */
  readonly layers: readonly [number, number, number, number]
  /** Heads of the attention pooling. */
  readonly heads: number
}

/** How pictures become what the image tower takes; see preprocess. */
export interface PreprocessConfig {
  /** Side of the square that the image tower takes. */
  readonly size: number
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
  /** `squash`: both sides are resized to `size`; left out: the short side, and the middle is taken. */
  readonly resize?: 'squash'
}

/** What a CLIP computes: its towers, and how its pictures are preprocessed. */
export interface ClipConfig {
  readonly embedDim: number
  readonly text: TextConfig
  readonly vision: VitConfig | ResNetConfig
  readonly preprocess: PreprocessConfig
}

/**
 * Tensors by OpenAI's / OpenCLIP's names (`visual.conv1.weight`, `transformer.resblocks.0.attn.in_proj_weight`,
 * `text_projection` (width, embed), `visual.proj` (width, embed) ...), float32, whatever layout they came from.
 */
export type Weights = ReadonlyMap<string, FloatTensor>

/** What a CLIP's towers are made of. */
export type Towers = Pick<Clip, 'config' | 'weights'>

/** A loaded CLIP; see loadClip. */
export interface Clip {
  readonly config: ClipConfig
  readonly weights: Weights
  readonly tokenizer: Tokenizer
  /** Hex digest of weights and preprocessing: the key of cached features. */
  readonly fingerprint: string
}
