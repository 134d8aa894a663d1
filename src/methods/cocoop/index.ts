import { z } from 'zod'
import { ShapeError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor, sizeOf } from '../../graph/tensor.ts'
import { shuffled } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { checkClassNames, promptLayout } from '../../prompt/layout.ts'
import { checkTrainingSet } from '../../prompt/train.ts'
import { contextWords, sharedContext, sharedContextSettings, tensorOf } from '../context.ts'
import { defineMethod } from '../method.ts'
import { imageConditionalClassifier } from './classifier.ts'
import { cocoopShapes, cocoopStep } from './program.ts'

const settings = z.strictObject({
  ...sharedContextSettings,
  epochs: z.int().min(1).default(10),
  /** Each image of a batch costs the text tower as much as a whole step of CoOp. */
  batchSize: z.int().min(1).default(1),
  learningRate: z.number().positive().default(0.002),
})

/** Prompt learning whose context depends on the image. */
export const cocoop = defineMethod({
  name: 'cocoop',
  summary: 'learned context vectors that a small network shifts for each image',
  source:
    'Zhou et al., "Conditional Prompt Learning for Vision-Language Models", CVPR 2022 (github.com/KaiyangZhou/CoOp)',
  settings,
  title: (context) => ['CoCoOp', ...contextWords(context)].join(', '),
  transfers: () => true,
  check(task, settings) {
    sharedContext(task, settings)
  },

  async learn(task, settings, options) {
    const { clip, runtime, train: set, online, seed } = task
    const { ctx, layout } = sharedContext(task, settings)
    checkTrainingSet(set, layout, clip.config.embedDim)
    const { tensors, steps } = await learnByGradients(
      {
        runtime,
        program: (batch) => cocoopStep(clip, layout, batch),
        start: startTensors(cocoopShapes(clip, layout), ctx, seed),
        set,
        online,
        epochs: settings.epochs,
        batchSize: settings.batchSize,
        order: shuffled(seed),
        optimiser: sgd,
        learningRate: (epoch) => learningRateOf(settings, epoch),
      },
      options,
    )
    return { tensors, steps, facts: { epochs: settings.epochs } }
  },

  async classifier(classes, { position }, learned) {
    const { clip, classNames } = classes
    checkClassNames(clip.tokenizer, classNames)
    const M = tensorOf(learned, 'ctx').shape[0] ?? 0
    const layout = promptLayout(clip.tokenizer, classNames, { M, position, classSpecific: false })
    const shapes = Object.entries(cocoopShapes(clip, layout))
    const tensors = shapes.map(([name, shape]): [string, FloatTensor] => [
      name,
      fitting(tensorOf(learned, name), name, shape),
    ])
    return imageConditionalClassifier(classes, layout, Object.fromEntries(tensors))
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

function fitting(tensor: FloatTensor, name: string, shape: readonly number[]): FloatTensor {
  if (tensor.shape.join() === shape.join()) return tensor
  throw new ShapeError(
    `the learned ${name} is (${tensor.shape.join(', ')}), this model takes (${shape.join(', ')}): it was learned on another`,
  )
}
