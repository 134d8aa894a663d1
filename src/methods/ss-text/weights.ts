import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import type { LabelledRows } from '../../learning/labelled-rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'

/** How far the weights of a class are held to its text feature: less the more images it has, or all by the number of images. */
export const PENALTIES = ['shots', 'images'] as const
export type Penalty = (typeof PENALTIES)[number]

/** Penalties below it count as it, as in the official code. */
const LEAST_PENALTY = 1e-3

/**
 * The class weights that minimise, in closed form, the support's similarity to them under a penalty a class:
 *
 *     w_c = t_c + s / (N lambda_c) sum of x over the images of c,   lambda_c = 1 / n_c (shots) or 1 / N (images)
 *
 * with N images of length 1, n_c of them of class c. `repel`, of the official SS-Text+, then takes (2 w_c - mean w) / |.|
 * off each.
 *
 * @param text t, `(classes, d)` of length 1
 * @param scale s, exp(logit_scale)
 * @returns `(classes, d)`, of length 1
 */
export async function closedFormWeights(
  { x, labels }: LabelledRows,
  text: FloatTensor,
  scale: number,
  { penalty, repel }: { readonly penalty: Penalty; readonly repel: boolean },
): Promise<FloatTensor> {
  const [classes, d] = dims(text, 2, 'text features')
  const n = labels.length
  const sums = new Float64Array(classes * d)
  const shots = new Float64Array(classes)
  const rows = normaliseRows(x)
  await breathing(n, (i) => {
    const c = labels[i]!
    shots[c]! += 1
    for (let j = 0; j < d; j++) sums[c * d + j]! += rows.data[i * d + j]!
  })
  const weights = sums.map((sum, k) => {
    const lambda = Math.max(LEAST_PENALTY, 1 / (penalty === 'shots' ? shots[Math.floor(k / d)]! : n))
    return text.data[k]! + (scale / (n * lambda)) * sum
  })
  if (repel) takeRepulsion(weights, classes, d)
  return normaliseRows(floatTensor([classes, d], new Float32Array(weights)))
}

/** w_c less (2 w_c - mean w) / |2 w_c - mean w|, in place. */
function takeRepulsion(weights: Float64Array, classes: number, d: number): void {
  const mean = new Float64Array(d)
  for (let k = 0; k < weights.length; k++) mean[k % d]! += weights[k]! / classes
  for (let c = 0; c < classes; c++) {
    const row = weights.subarray(c * d, (c + 1) * d)
    const delta = row.map((w, j) => 2 * w - mean[j]!)
    const length = Math.hypot(...delta) || 1
    for (let j = 0; j < d; j++) row[j]! -= delta[j]! / length
  }
}
