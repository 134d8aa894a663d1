import { CLIP_MEAN, CLIP_STD } from '../../clip/config/index.ts'
import type { ClipConfig } from '../../clip/types.ts'

/** What a pretraining run is made of; written into its folder first. */
export interface PretrainSettings {
  readonly seed: number
  readonly steps: number
  readonly batch: number
  /** Lengths of the caption rows, start and end token included; equally many of each in a batch. */
  readonly buckets: readonly number[]
  readonly learningRate: number
  readonly warmup: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly clipNorm: number
  /** Share of the batches with random vectors after the start token, so that late positions are trained as well. */
  readonly softShare: number
  readonly textWidth: number
  readonly textLayers: number
  readonly imageWidth: number
  readonly embedDim: number
}

export const PRETRAIN_DEFAULTS: PretrainSettings = {
  seed: 1,
  steps: 1750,
  batch: 256,
  buckets: [12, 16, 24, 36],
  learningRate: 2e-3,
  warmup: 150,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.98,
  clipNorm: 1,
  softShare: 0.4,
  textWidth: 160,
  textLayers: 4,
  imageWidth: 32,
  embedDim: 128,
}

const HEAD = 32
const IMAGE_HEAD = 64
const IMAGE_SIZE = 64

/** The bundled model's architecture: OpenCLIP's text tower and ModifiedResNet, made small. */
export function smallClipConfig(settings: PretrainSettings, vocabSize: number): ClipConfig {
  const { textWidth, textLayers, imageWidth, embedDim } = settings
  return {
    embedDim,
    text: {
      vocabSize,
      contextLength: 77,
      width: textWidth,
      heads: textWidth / HEAD,
      layers: textLayers,
      mlpWidth: 4 * textWidth,
      activation: 'gelu',
      layerNormEpsilon: 1e-5,
    },
    vision: {
      kind: 'resnet',
      imageSize: IMAGE_SIZE,
      width: imageWidth,
      layers: [1, 1, 1, 1],
      heads: (imageWidth * 32) / IMAGE_HEAD,
    },
    preprocess: { size: IMAGE_SIZE, mean: CLIP_MEAN, std: CLIP_STD },
  }
}

/** Linear warm-up, then a cosine to zero. */
export function learningRate(step: number, { steps, warmup, learningRate: peak }: PretrainSettings): number {
  if (step < warmup) return (peak * (step + 1)) / warmup
  return (peak * (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup)))) / 2
}
