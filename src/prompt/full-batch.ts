import { CoopError, DivergedError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { adamWStep } from '../learning/adamw.ts'
import { feedsOf, type TrainingSet } from '../learning/batches.ts'
import { type Classifier, classifierOf } from '../learning/classifier.ts'
import type { Runtime } from '../runtime/types.ts'
import { randomContext } from './context-start.ts'
import { type PromptShape, promptLayout } from './layout.ts'
import { classFeaturesProgram, contextShape, trainingProgram } from './prompted-tower.ts'

/** The fast recipe: AdamW over all images at once, a short warm-up, then a cosine to zero. No decay. */
export const FULL_BATCH = {
  steps: 100,
  learningRate: 0.01,
  warmup: 5,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
}

/** Learns many prompts of one form for one set of classes; the programs are made once. */
export interface FullBatchLearner {
  /**
   * Learns context vectors from a random start by `seed`.
   * @param set as many images in each class: a number that divides `rowsPerClass`
   */
  learn(set: TrainingSet, seed: number, signal?: AbortSignal): Promise<{ ctx: FloatTensor; losses: readonly number[] }>
  classifier(ctx: FloatTensor): Promise<Classifier>
  dispose(): Promise<void>
}

/**
 * The paper's objective by a faster recipe, for when a prompt is wanted in a second: a step over all images costs the
 * text tower no more than one over 32, and 100 such steps reach what the paper's hundreds of small ones do (the
 * comparison is in the docs). Few images are repeated, view after view, until there are `rowsPerClass` of each class:
 * the mean gradient is the same, and one program serves all shots.
 */
export async function fullBatchLearner(
  clip: Clip,
  runtime: Runtime,
  classNames: readonly string[],
  shape: PromptShape,
  rowsPerClass: number,
): Promise<FullBatchLearner> {
  const layout = promptLayout(clip.tokenizer, classNames, shape)
  const batch = classNames.length * rowsPerClass
  const step = await runtime.load(trainingProgram(clip, layout, batch))
  const features = await runtime.load(classFeaturesProgram(clip, layout))

  return {
    async learn(set, seed, signal) {
      const { steps } = FULL_BATCH
      const ctx = randomContext(contextShape(clip, layout), seed)
      const state = {
        values: ctx.data,
        first: new Float32Array(ctx.data.length),
        second: new Float32Array(ctx.data.length),
      }
      const feeds = repeated(set, classNames.length, batch)
      const losses: number[] = []
      for (let t = 0; t < steps; t++) {
        signal?.throwIfAborted()
        const { loss, gradient } = await step.run({ ctx, ...feeds })
        const value = loss?.data[0] ?? Number.NaN
        if (gradient === undefined || !Number.isFinite(value)) {
          throw new DivergedError(`training broke down: the loss of step ${t + 1} is ${value}`)
        }
        losses.push(value)
        adamWStep(state, gradient.data, t + 1, rateOf(t), FULL_BATCH)
      }
      return { ctx, losses }
    },
    async classifier(ctx) {
      const { features: text } = await features.run({ ctx })
      if (text === undefined) throw new Error('the program has an output "features"')
      return classifierOf(clip, classNames, text)
    },
    async dispose() {
      await step.dispose()
      await features.dispose()
    },
  }
}

function rateOf(t: number): number {
  const { steps, learningRate, warmup } = FULL_BATCH
  if (t < warmup) return (learningRate * (t + 1)) / warmup
  return (learningRate * (1 + Math.cos((Math.PI * (t - warmup)) / (steps - warmup)))) / 2
}

/** All images, again and again with their next views, until the batch is full. */
function repeated(set: TrainingSet, classes: number, batch: number) {
  const n = set.labels.length
  const counts = new Array<number>(classes).fill(0)
  for (const label of set.labels) counts[label] = (counts[label] ?? 0) + 1
  if (n === 0 || batch % n !== 0 || counts.some((count) => count !== n / classes)) {
    throw new CoopError(
      `the fast recipe takes as many images of each class, a number that divides ${batch / classes}; it got ${counts.join(', ')}`,
    )
  }
  const rounds = Array.from({ length: batch / n }, (_, round) =>
    feedsOf(
      set,
      set.labels.map((_, i) => i),
      round,
    ),
  )
  const embed = set.features.shape[2] ?? 0
  const features = floatTensor([batch, embed])
  const labels = new BigInt64Array(batch)
  for (const [round, feed] of rounds.entries()) {
    features.data.set(feed.features.data, round * n * embed)
    labels.set(feed.labels.data, round * n)
  }
  return { features, labels: { dtype: 'int64' as const, shape: [batch], data: labels } }
}
