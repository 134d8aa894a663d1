import type { Shape } from '../graph/index.ts'

export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
}

/** First and second moments of each parameter. */
export interface Moments {
  readonly first: Map<string, Float32Array>
  readonly second: Map<string, Float32Array>
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019), in place. Matrices decay; biases, gains and scalars do not.
 *
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *     x = x - lr decay x - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
 *
 * @param t number of this step, from 1
 * @param gradientScale factor on all gradients (clipping)
 */
export function adamW(
  parameters: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, Shape>,
  gradientOf: (name: string) => Float32Array,
  moments: Moments,
  t: number,
  lr: number,
  gradientScale: number,
  settings: AdamWSettings,
): void {
  const { beta1, beta2, epsilon, weightDecay } = settings
  const firstScale = 1 / (1 - beta1 ** t)
  const secondScale = 1 / (1 - beta2 ** t)
  for (const [name, x] of parameters) {
    const g = gradientOf(name)
    const m = moments.first.get(name)
    const v = moments.second.get(name)
    if (m === undefined || v === undefined) throw new RangeError(`no moments for ${name}`)
    const decay = (shapes.get(name)?.length ?? 0) >= 2 ? 1 - lr * weightDecay : 1
    for (let i = 0; i < x.length; i++) {
      const gi = g[i]! * gradientScale
      const mi = beta1 * m[i]! + (1 - beta1) * gi
      const vi = beta2 * v[i]! + (1 - beta2) * gi * gi
      m[i] = mi
      v[i] = vi
      x[i] = x[i]! * decay - (lr * mi * firstScale) / (Math.sqrt(vi * secondScale) + epsilon)
    }
  }
}

/** Euclidean length of all gradients together. */
export function globalNorm(gradients: Iterable<Float32Array>): number {
  let total = 0
  for (const g of gradients) for (let i = 0; i < g.length; i++) total += g[i]! * g[i]!
  return Math.sqrt(total)
}
