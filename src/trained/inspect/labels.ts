import { breathing } from '../../base/breathe.ts'
import type { Hooks } from '../../base/progress.ts'
import { matmul } from '../../graph/index.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { fitTemperature } from '../../learning/calibration.ts'
import { mapRows } from '../../learning/rows.ts'
import type { Runtime } from '../../runtime/types.ts'
import { probabilitiesOf } from '../trust.ts'
import type { Neighbours } from './neighbours.ts'

/** What the other pictures say of each. */
export interface OthersSay {
  /** `(n, classes)` */
  readonly probabilities: FloatTensor
  /** Whether there is another picture of its class, so that they can say anything. */
  readonly heard: readonly boolean[]
}

/**
 * Nearest class mean, each picture left out of its own: cosine of x_i to the sum S_c of the features of class c, and for
 * its own class to S_y - x_i, of which
 *
 *     x_i . (S_y - x_i) = x_i . S_y - x_i . x_i,   |S_y - x_i|^2 = |S_y|^2 - 2 x_i . S_y + x_i . x_i
 *
 * as probabilities at the temperature that fits the labels best.
 *
 * @param x `(n, d)`, rows of length 1 or 0
 */
export async function othersSay(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  classes: number,
  { signal }: Hooks = {},
): Promise<OthersSay> {
  const [n, d] = dims(x, 2)
  const sums = floatTensor([classes, d])
  const counts = new Int32Array(classes)
  await breathing(n, (i) => {
    const label = labels[i]!
    counts[label]!++
    for (let j = 0; j < d; j++) sums.data[label * d + j]! += x.data[i * d + j]!
  })
  const squares = Float64Array.from({ length: classes }, (_, c) => squareOf(sums.data, c, d))
  signal?.throwIfAborted()
  const logits = await mapRows(runtime, x, (rows) => matmul(rows, rows.graph.weight('sums', sums), { transB: true }))
  await breathing(n, (i) => {
    const label = labels[i]!
    const row = logits.data.subarray(i * classes, (i + 1) * classes)
    const own = squareOf(x.data, i, d)
    for (let c = 0; c < classes; c++) {
      const product = c === label ? row[c]! - own : row[c]!
      const square = c === label ? squares[c]! - 2 * row[c]! + own : squares[c]!
      row[c] = square > TINY ? product / Math.sqrt(square) : 0
    }
  })
  const heard = labels.map((label) => counts[label]! > 1)
  const kept = labels.flatMap((_, i) => (heard[i] ? [i] : []))
  if (kept.length === 0) return { probabilities: await probabilitiesOf(logits), heard }
  const some = floatTensor([kept.length, classes])
  await breathing(kept.length, (k) => {
    const i = kept[k]!
    some.data.set(logits.data.subarray(i * classes, (i + 1) * classes), k * classes)
  })
  const temperature = await fitTemperature(
    some,
    kept.map((i) => labels[i]!),
  )
  return { probabilities: await probabilitiesOf(logits, temperature), heard }
}

/** Below this a sum of features is rounding. */
const TINY = 1e-6

function squareOf(data: Float32Array, row: number, d: number): number {
  let sum = 0
  for (let j = row * d; j < (row + 1) * d; j++) sum += data[j]! ** 2
  return sum
}

/** By so much is a class clearly more probable than another. */
const CLEAR = 0.2

/** A label that is probably wrong. */
export interface Suspect {
  readonly picture: number
  /** What it more probably is. */
  readonly suggested: number
  /** By how much more probable that is than its label: above 0, at most 1. */
  readonly doubt: number
}

/**
 * Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021): a class is confidently seen in a picture where its
 * probability is at least the mean one among the pictures that bear its label,
 *
 *     t_c = mean of p_i(c) over the i with label c;
 *
 * a label is suspect where the most probable of the classes confidently seen is another one, more probable than the label.
 * So it is, too, where another class is clearly more probable (by 0.2): where nearly all pictures are sure, a mean is hard to
 * reach. The largest doubt comes first.
 *
 * @param probabilities `(n, classes)` by a classifier that has not learned the label of the picture
 * @param judged which pictures there are such probabilities of
 */
export async function suspectLabels(
  { data, shape }: FloatTensor,
  labels: readonly number[],
  judged: readonly boolean[],
): Promise<Suspect[]> {
  const [n, classes] = dims({ shape }, 2, 'probabilities')
  const sums = new Float64Array(classes)
  const counts = new Int32Array(classes)
  for (const [i, label] of labels.entries()) {
    if (!judged[i]) continue
    sums[label]! += data[i * classes + label]!
    counts[label]!++
  }
  const suspects: Suspect[] = []
  await breathing(n, (picture) => {
    if (!judged[picture]) return
    const row = data.subarray(picture * classes, (picture + 1) * classes)
    const label = labels[picture]!
    let suggested = label
    for (let c = 0; c < classes; c++) {
      const clear = row[c]! - row[label]! >= CLEAR
      const seen = clear || (counts[c]! > 0 && row[c]! >= sums[c]! / counts[c]!)
      if (seen && row[c]! > row[suggested]!) suggested = c
    }
    if (suggested !== label) suspects.push({ picture, suggested, doubt: row[suggested]! - row[label]! })
  })
  return suspects.sort((a, b) => b.doubt - a.doubt)
}

/** Nearest neighbours that are asked. */
const ASKED = 5

/**
 * The suspects whose nearest neighbours say the same: of the five nearest, or as many as there are of the class, most bear the
 * label suggested. A classifier that is often wrong suspects many labels, its neighbours few.
 */
export function confirmed(
  suspects: readonly Suspect[],
  labels: readonly number[],
  { count, indices }: Neighbours,
): Suspect[] {
  const sizes = new Map<number, number>()
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1)
  return suspects.filter(({ picture, suggested }) => {
    const asked = Math.min(ASKED, count, sizes.get(suggested) ?? 0)
    const nearest = indices.subarray(picture * count, picture * count + asked)
    return 2 * nearest.filter((other) => labels[other] === suggested).length > asked
  })
}
