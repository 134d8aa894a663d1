import { randomFor } from '../base/random.ts'
import { makeClip } from '../clip/load.ts'
import { createTokenizer } from '../clip/tokenizer/tokenizer.ts'
import type { Clip, ClipConfig, TextConfig, VitConfig } from '../clip/types.ts'
import { expectedTensors } from '../clip/weights/expected.ts'
import { floatTensor, sizeOf } from '../graph/tensor.ts'
import { trainBpe } from '../lab/pretrain/bpe-training.ts'

/** Texts that the tiny tokenizer learns its merges from: "photo", "dog", "cat" ... are one token, other words several. */
const TEXTS = ['a photo of a dog.', 'a photo of a cat.', 'a drawing of a house.', 'toilet paper', 'the small dogs']
const MERGES = 60

export const tinyTables = trainBpe(
  [1, 2, 3].flatMap(() => TEXTS),
  MERGES,
)

/** A configuration of a ViT so small that a test computes with it at once; `text` and `vision` override its towers. */
export function tinyConfig(text: Partial<TextConfig> = {}, vision: Partial<VitConfig> = {}): ClipConfig {
  const width = text.width ?? 12
  return {
    embedDim: 10,
    text: {
      vocabSize: tinyTables.vocab.size,
      contextLength: 24,
      width,
      heads: 2,
      layers: 2,
      mlpWidth: 4 * width,
      activation: 'quick_gelu',
      layerNormEpsilon: 1e-5,
      ...text,
    },
    vision: {
      kind: 'vit',
      imageSize: 8,
      patchSize: 4,
      width: 8,
      heads: 2,
      layers: 1,
      mlpWidth: 16,
      activation: text.activation ?? 'quick_gelu',
      layerNormEpsilon: 1e-5,
      ...vision,
    },
    preprocess: { size: 8, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  }
}

/** As small, with a ResNet: a stage with a plain bottleneck behind the one that widens, attention over 2 x 2 pixels. */
export function tinyResNetConfig(): ClipConfig {
  const config = tinyConfig()
  const size = 64
  return {
    ...config,
    vision: { kind: 'resnet', imageSize: size, width: 4, layers: [1, 2, 1, 1], heads: 2 },
    preprocess: { ...config.preprocess, size },
  }
}

/** A CLIP with random weights of a trained model's proportions; the same seed gives the same. */
export async function tinyClip(config: ClipConfig = tinyConfig(), seed = 1): Promise<Clip> {
  const weights = new Map(
    Array.from(expectedTensors(config), ([name, shape]) => {
      const random = randomFor('tiny clip', seed, name)
      const { mean, deviation } = proportions(name, shape)
      return [
        name,
        floatTensor(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => mean + deviation * random.normal()),
        ),
      ]
    }),
  )
  const tokenizer = createTokenizer({ ...tinyTables, contextLength: config.text.contextLength })
  return makeClip(config, weights, tokenizer)
}

function proportions(name: string, shape: readonly number[]): { mean: number; deviation: number } {
  if (name === 'logit_scale') return { mean: Math.log(10), deviation: 0 }
  if (/(ln_\w+|bn\d|downsample\.1)\.weight$|running_var$/.test(name)) return { mean: 1, deviation: 0.1 }
  // most pixels far from relu's kink, across which finite differences are no gradients
  if (/bn\d\.bias$/.test(name)) return { mean: 0, deviation: 1 }
  if (shape.length < 2) return { mean: 0, deviation: 0.1 }
  if (name.endsWith('embedding') || name.endsWith('embedding.weight')) return { mean: 0, deviation: 0.3 }
  return { mean: 0, deviation: 1 / Math.sqrt(shape.slice(1).reduce((product, n) => product * n, 1)) }
}
