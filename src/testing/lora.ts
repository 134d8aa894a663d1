import { z } from 'zod'
import {
  add,
  type FloatTensor,
  floatTensor,
  Graph,
  matmul,
  type Program,
  reshape,
  type Shape,
  sizeOf,
  type Value,
} from '../graph/index.ts'
import {
  adamW,
  type Clip,
  CoopError,
  checkTrainingSet,
  constantParameters,
  defineMethod,
  graphClassifier,
  imageLogits,
  imageTower,
  labelLoss,
  learnByGradients,
  learnedTensor,
  learningRateOf,
  type Parameters,
  pixelFeeds,
  randomFor,
  shuffled,
  stepOf,
  templatesSetting,
  withTemplates,
  zeroShotFeatures,
} from '../public/index.ts'

// A method that learns from pixels, through the image tower, written as a package of somebody else's would be: no row of
// METHODS, and made of nothing but what coop-ts and coop-ts/graph offer to all.

const OPTIMISER = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 })

/** Weights of the image tower moved by matrices of rank 1, texts by hand-written prompts. */
export const lora = defineMethod({
  name: 'lora',
  summary: 'LoRA of rank 1 on the image tower, hand-written prompts',
  source: 'Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022',
  pictures: 'pixels',
  settings: z.strictObject({
    templates: templatesSetting,
    epochs: z.int().min(1).default(20),
    batchSize: z.int().min(1).default(32),
    learningRate: z.number().positive().default(0.005),
  }),
  title: () => 'LoRA, rank 1',
  transfers: () => true,

  async learn(task, settings, options) {
    const { clip, runtime, classNames, train, pixels, seed } = task
    if (pixels === undefined) throw new CoopError('LoRA learns from pixels, and there are none', 'give it `pixels`')
    checkTrainingSet(train, classNames.length, clip.config.embedDim)
    const { epochs, batchSize, learningRate } = settings
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const learned = await learnByGradients(
      {
        runtime,
        program: (batch) => loraStep(clip, text, batch),
        start: loraStart(clip, seed),
        feeds: pixelFeeds(pixels, train.labels),
        epochs,
        batchSize,
        order: shuffled(seed),
        optimiser: OPTIMISER,
        learningRate: (epoch) => learningRateOf({ epochs, learningRate, warmup: 'none' }, epoch),
      },
      options,
    )
    return { ...learned, facts: {} }
  },

  async classifier(classes, settings, learned) {
    const { clip } = classes
    const text = await zeroShotFeatures(withTemplates(classes, settings))
    const tensors = Array.from(loraShapes(clip), ([name, shape]): [string, FloatTensor] => [
      name,
      learnedTensor(learned, name, shape),
    ])
    const logitsOf = (pixels: Value) => {
      const lora = tensors.map(([name, tensor]): [string, Value] => [name, pixels.graph.weight(name, tensor)])
      return loraLogits(clip, text, pixels, new Map(lora))
    }
    return graphClassifier(classes, logitsOf, 'pixels')
  },
})

/**
 * What is learned for each projection W of the image tower, W being its matrices and 1 x 1 convolutions `(out, in)`:
 * `W.A` `(1, in)` and `W.B` `(out, 1)`.
 */
function loraShapes({ weights }: Clip): Map<string, Shape> {
  const shapes = new Map<string, Shape>()
  for (const [name, tensor] of weights) {
    const [to = 0, from, ...kernel] = tensor.shape
    if (!/^visual\..*weight$/.test(name) || from === undefined || kernel.some((side) => side !== 1)) continue
    shapes.set(`${name}.A`, [1, from]).set(`${name}.B`, [to, 1])
  }
  return shapes
}

/** The start: A random, B zero, so that the model is as it was. */
export function loraStart(clip: Clip, seed: number): Map<string, FloatTensor> {
  return new Map(
    Array.from(loraShapes(clip), ([name, shape]) => {
      const random = randomFor('lora', seed, name)
      const deviation = name.endsWith('.A') ? 1 / Math.sqrt(sizeOf(shape)) : 0
      const values = Float32Array.from({ length: sizeOf(shape) }, () => deviation * random.normal())
      return [name, floatTensor(shape, values)]
    }),
  )
}

/** The same parameters with W + B A in place of each W that has its A and B. */
function withLora(frozen: Parameters, lora: ReadonlyMap<string, Value>): Parameters {
  return (name, shape) => {
    const [a, b] = [lora.get(`${name}.A`), lora.get(`${name}.B`)]
    const w = frozen(name, shape)
    return a === undefined || b === undefined ? w : add(w, reshape(matmul(b, a), shape))
  }
}

/**
 * Logits `(n, classes)` of preprocessed pixels `(n, 3, size, size)`.
 *
 * @param text `(classes, embed)` of length 1
 */
function loraLogits(clip: Clip, text: FloatTensor, pixels: Value, lora: ReadonlyMap<string, Value>): Value {
  const { graph } = pixels
  const features = imageTower(withLora(constantParameters(graph, clip.weights), lora), clip.config, pixels)
  return imageLogits(clip, features, graph.weight('text', text))
}

/** One training step: A and B of all projections, `pixels`, `labels` `(batch)` -> loss and gradients. */
export function loraStep(clip: Clip, text: FloatTensor, batch: number): Program {
  const { size } = clip.config.preprocess
  const graph = new Graph()
  const lora = new Map(Array.from(loraShapes(clip), ([name, shape]) => [name, graph.input(name, shape)]))
  const logits = loraLogits(clip, text, graph.input('pixels', [batch, 3, size, size]), lora)
  return stepOf(labelLoss(logits), lora, { logits })
}
