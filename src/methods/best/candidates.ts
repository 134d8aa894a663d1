import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor, matmul } from '../../graph/index.ts'
import { type LabelledRows, someRows } from '../../learning/labelled-rows.ts'
import { mapRows } from '../../learning/rows.ts'
import type { Runtime } from '../../runtime/types.ts'
import { fewRows, fitDiscriminant } from '../gda/discriminant.ts'
import type { LinearModel } from '../linear-probe/linear-model.ts'
import type { PrincipalAxes } from '../linear-probe/principal-axes.ts'
import { probesAlong, sharedProbes } from '../linear-probe/probe.ts'
import { isLarge, plainProducts } from '../linear-probe/products.ts'

/** Inverse strengths of the penalty of the probes, smallest first. */
const STRENGTHS = [30, 300]

/** A probe is near enough where a step lowers its objective by less than this share. */
const NEAR = 1e-5

/** The classifiers that are tried. */
export const CANDIDATES: readonly string[] = ['zero-shot', 'gda', ...STRENGTHS.map((C) => `probe, C=${C}`)]

/** Sum of the weights: what classifiers say of the images they learned from is too sure for others. */
const SURE = 0.6
/** Of it, what zero-shot has: more where one image a class tells nothing of how alike the images of a class are. */
const ZERO_SHOT = { judged: 0.3, unjudged: 0.5 }

/** The weights that are taken where nothing is known, and that others are drawn to; docs/best.md has the measurement. */
export function priorWeights(judged: boolean): number[] {
  const share = judged ? ZERO_SHOT.judged : ZERO_SHOT.unjudged
  return [SURE * share, 0, ...STRENGTHS.map(() => (SURE * (1 - share)) / STRENGTHS.length)]
}

/** Learns the candidates from some of the images; from several choices of them at a time sooner than one after the other. */
export interface Learner {
  /** How many at a time are worth it, and have room. */
  readonly atOnce: number
  /** A linear classifier of features of length 1 for each of CANDIDATES, in their order. */
  learn(images: readonly number[], signal?: AbortSignal): Promise<LinearModel[]>
  dispose(): Promise<void>
}

/** Numbers that all that is learned at a time may hold, and choices of images at most. */
const [ROOM, MOST] = [8e6, 11]

/**
 * All candidates are linear in features x of length 1, and so is a mixture of them:
 *
 *     zero-shot   s t_c . x
 *     gda         the discriminant of Gaussians of one covariance (src/methods/gda)
 *     probe       s t_c . x + v_c . x + b_c, logistic regression that minimises
 *                 sum of -log softmax(.)[label] + |v|^2 / (2 C): a linear probe that starts from the prompts
 *
 * @param rows features of length 1
 * @param axes of them
 * @param text t, `(classes, d)` of length 1
 * @param scale s, exp(logit_scale)
 */
export async function learnerOf(
  runtime: Runtime,
  { x, labels }: LabelledRows,
  axes: PrincipalAxes,
  text: FloatTensor,
  scale: number,
): Promise<Learner> {
  const [n, d] = dims(x, 2, 'features')
  const [classes] = dims(text, 2, 'text features')
  const zeroShot: LinearModel = {
    classes,
    d,
    weights: Float64Array.from(text.data, (t) => scale * t),
    intercepts: new Float64Array(classes),
  }
  const offsets = await outputsOf(runtime, zeroShot, x)
  const atOnce = Math.max(1, Math.min(MOST, Math.floor(ROOM / (n * (d + classes) + classes * d))))
  const shared = await sharedProbes(runtime, axes, labels, classes, atOnce)
  const few = n < d ? await fewRows(x, labels, classes) : undefined
  return {
    atOnce,
    async learn(images, signal) {
      const some = images.map((i) => labels[i]!)
      const solver = await shared.open(images)
      const probes = await probesAlong(runtime, await axesOf(axes, images), some, classes, STRENGTHS, {
        offsets: Float64Array.from(someRows(offsets, images).data),
        decrease: NEAR,
        solver,
        signal,
      }).finally(() => solver?.dispose())
      const viewsOf = () => floatTensor([images.length, 1, d], someRows(x, images).data)
      const gaussians = await (few?.fit(images) ??
        fitDiscriminant(runtime, { features: viewsOf(), labels: some }, classes, signal))
      return [zeroShot, { classes, d, ...gaussians }, ...probes.map((probe) => sumOf([zeroShot, probe], [1, 1]))]
    },
    dispose: () => shared.dispose(),
  }
}

/** The model whose outputs are sums of the others', each times its weight. */
export function sumOf(models: readonly LinearModel[], weights: readonly number[]): LinearModel {
  const [{ classes = 0, d = 0 } = {}] = models
  const sum = { classes, d, weights: new Float64Array(classes * d), intercepts: new Float64Array(classes) }
  for (const [k, model] of models.entries()) {
    for (const part of ['weights', 'intercepts'] as const) {
      const [to, from] = [sum[part], model[part]]
      for (let i = 0; i < to.length; i++) to[i]! += weights[k]! * from[i]!
    }
  }
  return sum
}

/** Outputs `(n, classes)` of a model for rows `(n, d)`. */
export async function outputsOf(runtime: Runtime, model: LinearModel, x: FloatTensor): Promise<FloatTensor> {
  const { classes, d } = model
  const [n] = dims(x, 2)
  const large = async () => {
    const weights = floatTensor([classes, d], new Float32Array(model.weights))
    return mapRows(runtime, x, (rows) => matmul(rows, rows.graph.weight('weights', weights), { transB: true }))
  }
  const small = async () => {
    const outputs = await plainProducts(new Float64Array(x.data), n, d).outputs(model.weights, classes)
    return floatTensor([n, classes], new Float32Array(outputs))
  }
  const outputs = await (isLarge(n, d, classes) ? large() : small())
  await breathing(n, (i) => {
    for (let c = 0; c < classes; c++) outputs.data[i * classes + c]! += model.intercepts[c]!
  })
  return outputs
}

/** Some of the rows along the axes of all. */
async function axesOf(all: PrincipalAxes, images: readonly number[]): Promise<PrincipalAxes> {
  const { rank, coordinates } = all
  const width = rank + 1
  const some = new Float64Array(images.length * width)
  const squares = new Float64Array(rank)
  await breathing(images.length, (row) => {
    some.set(coordinates.subarray(images[row]! * width, (images[row]! + 1) * width), row * width)
    for (let j = 0; j < rank; j++) squares[j]! += some[row * width + j]! ** 2
  })
  return { ...all, coordinates: some, squares }
}
