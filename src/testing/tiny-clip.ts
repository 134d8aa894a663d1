import { randomFor } from '../base/random.ts'
import { makeClip } from '../clip/load.ts'
import { trainBpe } from '../clip/tokenizer/bpe-training.ts'
import { createTokenizer } from '../clip/tokenizer/tokenizer.ts'
import type { Clip, ClipConfig, TextConfig } from '../clip/types.ts'
import { expectedTensors } from '../clip/weights/expected.ts'
import { floatTensor, sizeOf } from '../graph/tensor.ts'

/** Texts that the tiny tokenizer learns its merges from: "photo", "dog", "cat" ... are one token, other words several. */
const TEXTS = ['a photo of a dog.', 'a photo of a cat.', 'a drawing of a house.', 'toilet paper', 'the small dogs']
const MERGES = 60

export const tinyTables = trainBpe(
  [1, 2, 3].flatMap(() => TEXTS),
  MERGES,
)

/** A configuration of a ViT so small that a test computes with it at once; `text` overrides its text tower. */
export function tinyConfig(text: Partial<TextConfig> = {}): ClipConfig {
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
    },
    preprocess: { size: 8, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
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
  if (/ln_\w+\.weight$/.test(name)) return { mean: 1, deviation: 0.1 }
  if (shape.length < 2) return { mean: 0, deviation: 0.1 }
  if (name.endsWith('embedding') || name.endsWith('embedding.weight')) return { mean: 0, deviation: 0.3 }
  return { mean: 0, deviation: 1 / Math.sqrt(shape.slice(1).reduce((product, n) => product * n, 1)) }
}
