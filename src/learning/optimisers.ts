import { aNumberFrom0, anObject, checkArguments } from '../base/arguments.ts'

/** Takes over the values of a tensor, which each update changes in place. */
export type Optimiser = (values: Float32Array) => {
  /** What is kept between updates, zeros before the first, changed in place; as long as the values. */
  readonly buffers: Readonly<Record<string, Float32Array>>
  /** @param step number of this update, from 1 */
  update(gradient: Float32Array, learningRate: number, step: number): void
}

/** What stochastic gradient descent keeps: the values and their momentum, both changed in place. */
export interface Sgd {
  readonly values: Float32Array
  /** Zeros before the first step. */
  readonly momentum: Float32Array
}

/** Settings of sgd. */
export interface SgdSettings {
  /** Share of its buffer that a step keeps. */
  readonly momentum: number
  readonly weightDecay: number
}

/** The paper's. */
const PAPER_SGD: SgdSettings = { momentum: 0.9, weightDecay: 5e-4 }

/**
 * A step of SGD with momentum as PyTorch's (no dampening, not Nesterov), rounded to float32 where PyTorch rounds:
 *
 *     d = g + decay w,   buffer = momentum buffer + d,   w = w - lr buffer
 */
export function sgdStep(
  { values, momentum }: Sgd,
  gradient: Float32Array,
  learningRate: number,
  settings = PAPER_SGD,
): void {
  const { fround } = Math
  const [keep, decay, rate] = [fround(settings.momentum), fround(settings.weightDecay), fround(learningRate)]
  for (let i = 0; i < values.length; i++) {
    const d = fround(gradient[i]! + decay * values[i]!)
    momentum[i] = fround(keep * momentum[i]!) + d
    values[i] = values[i]! - rate * momentum[i]!
  }
}

/** Stochastic gradient descent as PyTorch's (see sgdStep); by default with momentum 0.9 and weight decay 5e-4. */
export function sgd(settings = PAPER_SGD): Optimiser {
  checkArguments('sgd', { settings }, { settings: anObject })
  checkArguments('sgd', { ...settings }, { momentum: aNumberFrom0, weightDecay: aNumberFrom0 })
  return (values) => {
    const momentum = new Float32Array(values.length)
    return {
      buffers: { momentum },
      update: (gradient, learningRate) => sgdStep({ values, momentum }, gradient, learningRate, settings),
    }
  }
}

/** What AdamW keeps of a tensor: its values and their first and second moments, all changed in place. */
export interface AdamW {
  readonly values: Float32Array
  /** Zeros before the first step. */
  readonly first: Float32Array
  readonly second: Float32Array
}

/** Settings of adamW, as its equation calls them. */
export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019):
 *
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *     x = x - lr decay x - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
 *
 * @param t number of this step, from 1
 * @param gradientScale factor on the gradient (clipping)
 */
export function adamWStep(
  { values, first, second }: AdamW,
  gradient: Float32Array,
  t: number,
  learningRate: number,
  { beta1, beta2, epsilon, weightDecay }: AdamWSettings,
  gradientScale = 1,
): void {
  const firstScale = 1 / (1 - beta1 ** t)
  const secondScale = 1 / (1 - beta2 ** t)
  const decay = 1 - learningRate * weightDecay
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]! * gradientScale
    const m = beta1 * first[i]! + (1 - beta1) * g
    const v = beta2 * second[i]! + (1 - beta2) * g * g
    first[i] = m
    second[i] = v
    values[i] = values[i]! * decay - (learningRate * m * firstScale) / (Math.sqrt(v * secondScale) + epsilon)
  }
}

/** AdamW (Loshchilov & Hutter 2019; see adamWStep). */
export function adamW(settings: AdamWSettings): Optimiser {
  checkArguments('adamW', { settings }, { settings: anObject })
  checkArguments(
    'adamW',
    { ...settings },
    { beta1: aNumberFrom0, beta2: aNumberFrom0, epsilon: aNumberFrom0, weightDecay: aNumberFrom0 },
  )
  return (values) => {
    const first = new Float32Array(values.length)
    const second = new Float32Array(values.length)
    return {
      buffers: { first, second },
      update: (gradient, rate, step) => adamWStep({ values, first, second }, gradient, step, rate, settings),
    }
  }
}

/**
 * Adam as PyTorch's, whose weight decay is part of the gradient and so of both moments: a step of AdamW without decay (see
 * adamWStep) for g + decay x.
 */
export function adam({ weightDecay, ...rest }: AdamWSettings): Optimiser {
  const decoupled = adamW({ ...rest, weightDecay: 0 })
  return (values) => {
    const { buffers, update } = decoupled(values)
    return {
      buffers,
      update: (gradient, rate, step) =>
        update(
          gradient.map((g, i) => g + weightDecay * values[i]!),
          rate,
          step,
        ),
    }
  }
}
