import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { LabelledRows } from '../../learning/labelled-rows.ts'
import { diverged } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import type { LearnOptions, Step, Tensors } from '../../learning/types.ts'
import { argmaxRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import type { Learned } from '../method.ts'
import { labelsTensor, lpStep } from './program.ts'
import { lpStart } from './start.ts'

/** Of weights and biases, as in the official code. */
const OPTIMISER = sgd({ momentum: 0.9, weightDecay: 0 })
/** Iterations between steps of alpha, likewise. */
const ALPHA_EVERY = 10

/**
 * Gradient descent over all images, weights and bias at each iteration, alpha at every tenth. The gradient of alpha is the
 * sum over all iterations so far: the official code never sets it back to zero, and its results come of that. With
 * images to choose by, what is kept is the iteration that is best on them, the last of several.
 *
 * @param train features of length 1, as are those of `val` and `text` `(classes, d)`
 */
export async function learnLp(
  runtime: Runtime,
  train: LabelledRows,
  val: LabelledRows,
  text: FloatTensor,
  iterations: number,
  { onProgress, onSteps, signal }: LearnOptions = {},
): Promise<Learned> {
  const [classes] = dims(text, 2, 'text features')
  const { weight, alpha: firstAlpha, weightRate, alphaRate } = await lpStart(runtime, train.x, train.labels, text)
  const bias = floatTensor([classes])
  const alpha = floatTensor([classes], new Float32Array(classes).fill(firstAlpha))
  const descents = { weight: OPTIMISER(weight.data), bias: OPTIMISER(bias.data) }
  const alphaGradient = new Float32Array(classes)
  const labels = labelsTensor(train.labels)
  const chooses = val.labels.length > 0
  const steps: Step[] = []
  let kept: { readonly tensors: Tensors; readonly right: number; readonly iteration: number } | undefined

  const keepIfBest = (logits: FloatTensor | undefined, iteration: number) => {
    const predicted = logits ? argmaxRows(logits) : []
    const right = val.labels.filter((label, i) => predicted[i] === label).length
    if (!kept || right >= kept.right) kept = { tensors: copies({ weight, bias, alpha }), right, iteration }
  }
  const session = await runtime.load(lpStep(train.x, text, val.x))
  try {
    for (let iteration = 1; iteration <= iterations; iteration++) {
      signal?.throwIfAborted()
      const outputs = await session.run({ weight, bias, alpha, labels })
      const loss = outputs.loss?.data[0] ?? Number.NaN
      if (!Number.isFinite(loss)) throw diverged(`the loss of step ${iteration} is ${loss}`, weightRate)
      // the validation logits are those of what the iteration before left
      if (chooses && iteration > 1) keepIfBest(outputs.val, iteration - 1)
      let squares = 0
      for (const name of ['weight', 'bias'] as const) {
        const gradient = dataOf(outputs[`gradient.${name}`])
        for (const g of gradient) squares += g * g
        descents[name].update(gradient, weightRate, iteration)
      }
      const ofAlpha = dataOf(outputs['gradient.alpha'])
      for (let c = 0; c < classes; c++) alphaGradient[c]! += ofAlpha[c]!
      if (iteration % ALPHA_EVERY === 0)
        for (let c = 0; c < classes; c++) alpha.data[c]! -= alphaRate * alphaGradient[c]!
      const gradientNorm = Math.fround(Math.sqrt(squares))
      steps.push({ step: iteration, epoch: iteration, learningRate: weightRate, loss, gradientNorm })
      onProgress?.({ kind: 'train', done: iteration, total: iterations, loss })
      await onSteps?.(steps, new Map(Object.entries({ weight, bias, alpha })))
    }
    if (chooses) keepIfBest((await session.run({ weight, bias, alpha, labels })).val, iterations)
  } finally {
    await session.dispose()
  }
  const facts = { weightRate, alphaRate, firstAlpha }
  if (!kept) return { tensors: copies({ weight, bias, alpha }), facts, steps }
  const { tensors, right, iteration } = kept
  return { tensors, facts: { ...facts, iteration, valAccuracy: right / val.labels.length }, steps }
}

function copies(tensors: Readonly<Record<string, FloatTensor>>): Tensors {
  return new Map(Object.entries(tensors).map(([name, { shape, data }]) => [name, floatTensor(shape, data.slice())]))
}

function dataOf(tensor: FloatTensor | undefined): Float32Array {
  if (tensor === undefined) throw new Error('a step gives the gradients of weight, bias and alpha')
  return tensor.data
}
