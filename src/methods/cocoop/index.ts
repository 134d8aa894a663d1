import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor, sizeOf } from '../../graph/tensor.ts'
import { checkTrainingSet } from '../../learning/batches.ts'
import { checkClassNames, promptLayout } from '../../prompt/layout.ts'
import { contextOf, contextWords, sharedContextSettings } from '../context.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { imageConditionalClassifier } from './classifier.ts'
import { cocoopShapes, cocoopStep } from './program.ts'

const settings = z.strictObject({
  ...sharedContextSettings,
  epochs: wholeNumber(1, MAX_EPOCHS).default(10),
  /** Each image of a batch costs the text tower as much as a whole step of CoOp. */
  batchSize: wholeNumber(1, MANY).default(1),
  learningRate: positiveNumber(MAX_RATE).default(0.002),
})

/** Prompt learning whose context depends on the image. */
export const cocoop = defineMethod({
  name: 'cocoop',
  summary: 'learned context vectors that a small network shifts for each image',
  source:
    'Zhou et al., "Conditional Prompt Learning for Vision-Language Models", CVPR 2022 (github.com/KaiyangZhou/CoOp)',
  pictures: 'views',
  costly: true,
  settings,
  title: (context) => ['CoCoOp', ...contextWords(context)].join(', '),
  transfers: () => true,
  check: (task, settings) => {
    contextOf(task, { ...settings, classSpecific: false })
  },

  async learn(task, settings, options) {
    const { clip, classNames, train, seed } = task
    const { ctx, layout } = contextOf(task, { ...settings, classSpecific: false })
    checkTrainingSet(train, classNames.length, clip.config.embedDim)
    const program = (batch: number) => cocoopStep(clip, layout, batch)
    const start = startTensors(cocoopShapes(clip, layout), ctx, seed)
    return learnByRecipe(task, settings, { program, start }, options)
  },

  async classifier(classes, { position }, learned) {
    const { clip, classNames } = classes
    checkClassNames(clip.tokenizer, classNames)
    const M = learnedTensor(learned, 'ctx', ['any', clip.config.text.width]).shape[0] ?? 0
    const layout = promptLayout(clip.tokenizer, classNames, { M, position, classSpecific: false })
    const tensors = Object.entries(cocoopShapes(clip, layout)).map(([name, shape]): [string, FloatTensor] => [
      name,
      learnedTensor(learned, name, shape),
    ])
    return imageConditionalClassifier(classes, layout, new Map(tensors))
  },
})

/**
 * The meta-net starts as PyTorch's linear layers do: weights and biases uniform within 1 / sqrt(values that come in).
 */
function startTensors(
  shapes: ReturnType<typeof cocoopShapes>,
  ctx: FloatTensor,
  seed: number,
): Map<string, FloatTensor> {
  const tensors = Object.entries(shapes).map(([name, shape]): [string, FloatTensor] => {
    if (name === 'ctx') return [name, ctx]
    const incoming = shapes[name.replace(/bias$/, 'weight')]?.[1] ?? 1
    const random = randomFor('meta-net', seed, name)
    const values = Array.from({ length: sizeOf(shape) }, () => (2 * random.next() - 1) / Math.sqrt(incoming))
    return [name, floatTensor(shape, Float32Array.from(values))]
  })
  return new Map(tensors)
}
