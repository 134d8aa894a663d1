import { aTensor, checkArguments, wholeFrom, wholes } from '../base/arguments.ts'
import { MANY } from '../base/bounds.ts'
import { breathing } from '../base/breathe.ts'
import { countOf } from '../base/count.ts'
import { CoopError, ShapeError } from '../base/errors.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'

/** Temperatures lie between these shares and multiples of the largest difference within a row of logits. */
const [SHARPEST, FLATTEST] = [1e-6, 1e3]
const ROUNDS = 100

/**
 * The temperature T that makes probabilities of logits: softmax(z / T) with the least cross-entropy on images that the
 * classifier has not learned from (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). With b = 1 / T
 * the problem is convex, and its derivative is
 *
 *     sum over the images of  E_p[z] - z_label,   p = softmax(b z);   second derivative: sum of Var_p[z]
 *
 * which Newton's method takes to zero within a bracket, in float64. It has no zero in two cases. Where the label has
 * the largest logit in every row, ever surer were ever better: then T is where the mean confidence is (n + 1) / (n + 2), what
 * n right answers of n say (Laplace's rule of succession). Where labels have no larger logits than other classes, T is
 * 1000 times the largest difference within a row: probabilities as good as even. 1 where no row tells classes apart.
 *
 * @param logits `(images, classes)`
 * @param labels class of each image
 * @throws ShapeError where these do not fit each other; CoopError where there are none, or a logit is no finite number
 */
export async function fitTemperature(logits: FloatTensor, labels: readonly number[]): Promise<number> {
  const [n, classes] = checkJudged('fitTemperature', logits, labels)
  const { data } = logits
  const top = new Float64Array(n)
  let [widest, right] = [0, 0]
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * classes, (i + 1) * classes)
    top[i] = row.reduce((a, b) => Math.max(a, b))
    widest = Math.max(widest, top[i]! - row.reduce((a, b) => Math.min(a, b)))
    if (row[labels[i]!] === top[i]) right++
  }
  if (widest === 0) return 1

  /** Of the objective at b, divided by n; and the mean confidence there. */
  async function at(b: number) {
    let [slope, curvature, confidence] = [0, 0, 0]
    await breathing(n, (i) => {
      let [total, first, second] = [0, 0, 0]
      for (let c = 0; c < classes; c++) {
        const z = data[i * classes + c]! - top[i]!
        const p = Math.exp(b * z)
        total += p
        first += p * z
        second += p * z * z
      }
      const mean = first / total
      slope += (mean - (data[i * classes + labels[i]!]! - top[i]!)) / n
      curvature += (second / total - mean * mean) / n
      confidence += 1 / total / n
    })
    return { slope, curvature, confidence }
  }

  const bounds = [1 / (FLATTEST * widest), 1 / (SHARPEST * widest)] as const
  if (right < n) return 1 / (await rootOf(at, bounds))
  const sure = (n + 1) / (n + 2)
  return 1 / (await rootOf(async (b) => ({ slope: (await at(b)).confidence - sure, curvature: 0 }), bounds))
}

/** Where a function that only grows is 0, by Newton's steps where they stay in the bracket, else by halves of log b; an end of it where it is 0 nowhere. */
async function rootOf(
  f: (b: number) => Promise<{ readonly slope: number; readonly curvature: number }>,
  bounds: readonly [number, number],
): Promise<number> {
  let [low, high] = bounds
  if ((await f(low)).slope >= 0) return low
  if ((await f(high)).slope <= 0) return high
  let b = Math.sqrt(low * high)
  for (let round = 0; round < ROUNDS; round++) {
    const { slope, curvature } = await f(b)
    if (slope === 0) return b
    if (slope < 0) low = b
    else high = b
    const newton = b - slope / curvature
    const next = newton > low && newton < high ? newton : Math.sqrt(low * high)
    if (Math.abs(next - b) <= 1e-13 * b) return next
    b = next
  }
  return b
}

/** Images whose confidence, the probability of the answer, is above `from` and not above `to`. */
export interface ReliabilityBin {
  readonly from: number
  readonly to: number
  readonly count: number
  /** Share of right answers; NaN where there are no images, as is `confidence`. */
  readonly accuracy: number
  /** Mean probability of the answers. */
  readonly confidence: number
}

/**
 * The reliability diagram of probabilities: bins of the same width from 0 to 1. The answer is the most probable class, the
 * first of several.
 *
 * @param probabilities `(images, classes)`
 * @throws ShapeError or CoopError where probabilities and labels do not fit each other, or are none
 */
export function reliabilityBins(
  probabilities: FloatTensor,
  labels: readonly number[],
  bins = BINS,
): readonly ReliabilityBin[] {
  const [n, classes] = checkJudged('reliabilityBins', probabilities, labels)
  checkArguments('reliabilityBins', { bins }, { bins: wholeFrom(1, MANY) })
  const sums = Array.from({ length: bins }, () => ({ count: 0, right: 0, confidence: 0 }))
  for (let i = 0; i < n; i++) {
    const row = probabilities.data.subarray(i * classes, (i + 1) * classes)
    const confidence = row.reduce((a, b) => Math.max(a, b))
    if (row.some((p) => p < 0) || confidence > 1 + 1e-6)
      throw new CoopError('probabilities are from 0 to 1', 'softmax makes them of logits')
    const bin = sums[Math.max(0, Math.min(bins, Math.ceil(confidence * bins)) - 1)]!
    bin.count++
    bin.confidence += confidence
    if (row.indexOf(confidence) === labels[i]) bin.right++
  }
  return sums.map(({ count, right, confidence }, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    count,
    accuracy: right / count,
    confidence: confidence / count,
  }))
}

/** Bins of the literature (Guo et al. 2017). */
const BINS = 15

/**
 * Expected calibration error: by how much accuracy and confidence differ in a bin, in the mean over the images.
 *
 *     ECE = sum over bins of (images of the bin / images) |accuracy - confidence|
 *
 * Parameters and what is thrown: see reliabilityBins.
 */
export function calibrationError(probabilities: FloatTensor, labels: readonly number[], bins = BINS): number {
  return reliabilityBins(probabilities, labels, bins)
    .filter(({ count }) => count > 0)
    .reduce(
      (sum, { count, accuracy, confidence }) => sum + (count / labels.length) * Math.abs(accuracy - confidence),
      0,
    )
}

function checkJudged(caller: string, rows: FloatTensor, labels: readonly number[]): readonly [number, number] {
  checkArguments(caller, { rows, labels }, { rows: aTensor, labels: wholes })
  const [n, classes] = dims(rows, 2, 'logits or probabilities')
  if (n !== labels.length)
    throw new ShapeError(`there are rows of ${countOf(n, 'image')}, but labels for ${labels.length}`)
  if (n === 0) throw new CoopError('there are no images to judge probabilities by', 'give it one at least')
  const strange = labels.find((label) => label < 0 || label >= classes)
  if (strange !== undefined)
    throw new ShapeError(`the label ${strange} is outside the ${countOf(classes, 'class', 'classes')}`)
  if (!rows.data.every(Number.isFinite))
    throw new CoopError('there are logits or probabilities that are no finite numbers')
  return [n, classes]
}
