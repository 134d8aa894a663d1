/** What AdamW keeps of a tensor: its values and their first and second moments, all changed in place. */
export interface AdamW {
  readonly values: Float32Array
  /** Zeros before the first step. */
  readonly first: Float32Array
  readonly second: Float32Array
}

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
