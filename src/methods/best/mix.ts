import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor } from '../../graph/tensor.ts'

export interface Pull {
  /** The weights that they are drawn to. */
  readonly towards: readonly number[]
  /** How strongly; as many images as it counts for. */
  readonly strength: number
}

const [ROUNDS, SWEEPS, HALVINGS] = [100, 200, 40]

/**
 * The mixture of classifiers that says most of images that none of them has learned from: weights w, none below 0, of their logits
 * z_k, the minimum of
 *
 *     sum over the images of  -log softmax(sum_k w_k z_k)[label]  +  strength / 2 |w - towards|^2
 *
 * It is convex: Newton's method, each step a quadratic problem with bounds, which coordinate descent solves; in float64.
 *
 * @param parts logits `(images, classes)`, of the same images each
 * @returns a weight for each part
 */
export async function fitMix(parts: readonly FloatTensor[], labels: readonly number[], pull: Pull): Promise<number[]> {
  const k = parts.length
  let weights = Float64Array.from(pull.towards)
  let now = await mixtureAt(parts, labels, weights, pull)
  for (let round = 0; round < ROUNDS; round++) {
    const step = boundedStep(now.hessian, now.gradient, weights)
    const fall = step.reduce((sum, s, i) => sum - s * now.gradient[i]!, 0)
    if (!(fall > 1e-10 * Math.max(1, Math.abs(now.value)))) break
    let better: typeof now | undefined
    let next = weights
    for (let half = 0, share = 1; half < HALVINGS && better === undefined; half++, share /= 2) {
      next = weights.map((w, i) => Math.max(0, w + share * step[i]!))
      const there = await mixtureAt(parts, labels, next, pull)
      if (there.value <= now.value - 1e-4 * share * fall) better = there
    }
    if (better === undefined) break
    weights = next
    now = better
  }
  return Array.from(weights)

  function boundedStep(hessian: Float64Array, gradient: Float64Array, from: Float64Array): Float64Array {
    const step = new Float64Array(k)
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let moved = 0
      for (let i = 0; i < k; i++) {
        const curvature = hessian[i * k + i]!
        if (curvature <= 0) continue
        let slope = gradient[i]!
        for (let j = 0; j < k; j++) slope += hessian[i * k + j]! * step[j]!
        const to = Math.max(-from[i]!, step[i]! - slope / curvature)
        moved = Math.max(moved, Math.abs(to - step[i]!))
        step[i] = to
      }
      if (moved < 1e-12) break
    }
    return step
  }
}

/** Mean cross-entropy of a mixture. */
export async function lossOfMix(
  parts: readonly FloatTensor[],
  labels: readonly number[],
  weights: readonly number[],
): Promise<number> {
  const { loss } = await mixtureAt(parts, labels, Float64Array.from(weights), { towards: weights, strength: 0 })
  return loss / labels.length
}

/** What is minimised at some weights, with gradient `(k)` and second derivatives `(k, k)`; `loss` is its first part. */
async function mixtureAt(
  parts: readonly FloatTensor[],
  labels: readonly number[],
  weights: Float64Array,
  { towards, strength }: Pull,
) {
  const k = parts.length
  const [gradient, hessian, means] = [new Float64Array(k), new Float64Array(k * k), new Float64Array(k)]
  const classes = parts[0] ? dims(parts[0], 2, 'logits')[1] : 0
  const p = new Float64Array(classes)
  let loss = 0
  await breathing(labels.length, (i) => {
    const at = i * classes
    const own = at + labels[i]!
    p.fill(0)
    for (const [a, { data }] of parts.entries()) {
      for (let c = 0; c < classes; c++) p[c]! += weights[a]! * (data[at + c]! - data[own]!)
    }
    const top = p.reduce((a, b) => Math.max(a, b))
    let total = 0
    for (let c = 0; c < classes; c++) total += p[c] = Math.exp(p[c]! - top)
    loss += top + Math.log(total)
    for (let c = 0; c < classes; c++) p[c]! /= total
    for (const [a, { data }] of parts.entries()) {
      let mean = 0
      for (let c = 0; c < classes; c++) mean += p[c]! * (data[at + c]! - data[own]!)
      means[a] = mean
      gradient[a]! += mean
      for (let b = 0; b <= a; b++) {
        const other = parts[b]!.data
        let product = 0
        for (let c = 0; c < classes; c++)
          product += p[c]! * (data[at + c]! - data[own]!) * (other[at + c]! - other[own]!)
        hessian[a * k + b]! += product - mean * means[b]!
      }
    }
  })
  let value = loss
  for (let a = 0; a < k; a++) {
    const off = weights[a]! - towards[a]!
    value += (strength / 2) * off * off
    gradient[a]! += strength * off
    hessian[a * k + a]! += strength
    for (let b = 0; b < a; b++) hessian[b * k + a] = hessian[a * k + b]!
  }
  return { value, loss, gradient, hessian }
}
