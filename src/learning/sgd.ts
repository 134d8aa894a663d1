/** What stochastic gradient descent keeps: the values and their momentum, both changed in place. */
export interface Sgd {
  readonly values: Float32Array
  /** Zeros before the first step. */
  readonly momentum: Float32Array
}

const MOMENTUM = 0.9
const WEIGHT_DECAY = 5e-4

/**
 * A step of SGD with momentum as PyTorch's (no dampening, not Nesterov), rounded to float32 where PyTorch rounds:
 *
 *     d = g + decay w,   buffer = 0.9 buffer + d,   w = w - lr buffer
 */
export function sgdStep({ values, momentum }: Sgd, gradient: Float32Array, learningRate: number): void {
  const { fround } = Math
  const [keep, decay, rate] = [fround(MOMENTUM), fround(WEIGHT_DECAY), fround(learningRate)]
  for (let i = 0; i < values.length; i++) {
    const d = fround(gradient[i]! + decay * values[i]!)
    momentum[i] = fround(keep * momentum[i]!) + d
    values[i] = values[i]! - rate * momentum[i]!
  }
}
