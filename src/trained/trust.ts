import { z } from 'zod'
import { breathing } from '../base/breathe.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { calibrationError, fitTemperature } from '../learning/calibration.ts'
import { conformalThreshold, coverageOf, labelProbabilities } from '../learning/conformal.ts'
import { someRows } from '../learning/labelled-rows.ts'
import { argmaxRows, softmaxRows } from '../learning/vectors.ts'

/** What goes with a run so that its probabilities mean something, as learned.safetensors has it. */
export const trustSchema = z.strictObject({
  /** Logits are divided by it before the softmax. */
  temperature: z.number().positive(),
  /** Probabilities that pictures gave their class by learners that had not seen them, smallest first: label sets follow from these. */
  truths: z.array(z.number().min(0).max(1)),
  /** An answer that is less probable is "none of these". */
  reject: z.number().min(0).max(1).optional(),
  /** Share of pictures whose label set is to hold their class, where nobody asks for another. */
  sets: z.number().gt(0).lt(1).optional(),
})
export type Trust = z.output<typeof trustSchema>

/** On which pictures something was measured: test pictures, or those learned from, by learners that had not seen them. */
const MEASURED_ON = ['test', 'cross-validated'] as const
type MeasuredOn = (typeof MEASURED_ON)[number]
const measuredOn = z.enum(MEASURED_ON)

const share = z.number().min(0).max(1)

/** What probabilities, label sets and the threshold are worth, as results.json has it. */
export const worthSchema = z.object({
  /** Expected calibration error (15 bins) of softmax(logits), and of softmax(logits / temperature). */
  calibration: z.object({ on: measuredOn, temperature: z.number(), before: share, after: share }),
  /** How often label sets of a coverage held the class, and how many classes are in one. */
  sets: z.object({ on: measuredOn, coverage: share, reached: share, meanSize: z.number() }),
  /** null where no threshold was chosen. */
  reject: z
    .object({
      on: measuredOn,
      threshold: share,
      by: z.enum(['_other', 'error rate']),
      /** Share of the pictures of the classes that get an answer, and of these answers that is right (null: none was given). */
      answered: share,
      accuracy: share.nullable(),
      /** Pictures of none of the classes, and the share of them that gets none (null: there are no such pictures). */
      others: z.int(),
      rejected: share.nullable(),
    })
    .nullable(),
})
type Worth = z.output<typeof worthSchema>

/** Pictures with the logits `(pictures, classes)` of learners that had not seen them. */
export interface Judged {
  readonly logits: FloatTensor
  readonly labels: readonly number[]
}

/** The same of pictures learned from; each has the number of the fold that held it. */
export interface OutOfFoldJudged extends Judged {
  readonly folds: readonly number[]
}

/** Label sets hold the class of this share of pictures, where nobody says how many. */
export const DEFAULT_SETS = 0.9

export interface TrustOptions {
  readonly sets?: number
  readonly errorRate?: number
}

/**
 * Temperature, label sets and threshold of a run from pictures judged by learners that had not seen them.
 * @param others logits `(pictures, classes)` of pictures of none of the classes
 */
export async function trustOf(
  { logits, labels }: Judged,
  others: FloatTensor,
  { sets, errorRate }: TrustOptions,
): Promise<Trust> {
  const temperature = await fitTemperature(logits, labels)
  const probabilities = await probabilitiesOf(logits, temperature)
  const reject = chosenThreshold(
    await answersOf(probabilities, labels),
    (await answersOf(await probabilitiesOf(others, temperature))).map(({ probability }) => probability),
    errorRate,
  )
  const truths = labelProbabilities(probabilities, labels).sort((a, b) => a - b)
  return { temperature, truths: truths.map(shortened), reject, sets }
}

/** Six decimals are as much as it is worth; rounded down, so that what reached a threshold still does. */
const shortened = (p: number) => Math.floor(p * 1e6) / 1e6

/** What a run's trust is worth on test pictures: `others` are logits of pictures of none of the classes. */
export async function worthOnTest(
  { logits, labels }: Judged,
  others: FloatTensor,
  trust: Trust,
  options: TrustOptions,
): Promise<Worth> {
  const coverage = options.sets ?? DEFAULT_SETS
  const probabilities = await probabilitiesOf(logits, trust.temperature)
  const threshold = conformalThreshold(trust.truths, coverage)
  return worth(
    'test',
    labels,
    await probabilitiesOf(logits),
    probabilities,
    () => threshold,
    coverage,
    others,
    trust,
    options,
  )
}

/**
 * The same where there are no test pictures: the probabilities of each fold by the temperature and the label sets that
 * follow from the others.
 */
export async function worthByFolds(
  judged: OutOfFoldJudged,
  others: FloatTensor,
  trust: Trust,
  options: TrustOptions,
): Promise<Worth> {
  const { logits, labels, folds } = judged
  const coverage = options.sets ?? DEFAULT_SETS
  const [n, classes] = dims(logits, 2)
  const probabilities = floatTensor([n, classes])
  const thresholds = new Map<number, number>()
  for (const fold of new Set(folds)) {
    const [held, rest] = [rowsWhere(judged, (f) => f === fold), rowsWhere(judged, (f) => f !== fold)]
    const temperature = await fitTemperature(rest.logits, rest.labels)
    const known = labelProbabilities(await probabilitiesOf(rest.logits, temperature), rest.labels)
    thresholds.set(fold, conformalThreshold(known, coverage))
    const { data } = await probabilitiesOf(held.logits, temperature)
    for (const [i, row] of held.rows.entries()) {
      probabilities.data.set(data.subarray(i * classes, (i + 1) * classes), row * classes)
    }
  }
  const threshold = (i: number) => thresholds.get(folds[i]!) ?? 0
  const before = await probabilitiesOf(logits)
  return worth('cross-validated', labels, before, probabilities, threshold, coverage, others, trust, options)
}

async function worth(
  on: MeasuredOn,
  labels: readonly number[],
  before: FloatTensor,
  after: FloatTensor,
  threshold: (image: number) => number,
  coverage: number,
  others: FloatTensor,
  { temperature, reject }: Trust,
  { errorRate }: TrustOptions,
): Promise<Worth> {
  const error = { before: calibrationError(before, labels), after: calibrationError(after, labels) }
  return {
    calibration: { on, temperature, ...error },
    sets: { on, coverage, ...(await coverageOf(after, labels, threshold)) },
    reject:
      reject === undefined
        ? null
        : {
            ...{ on, threshold: reject, by: errorRate === undefined ? '_other' : 'error rate' },
            ...(await rejectionOf(after, labels, await probabilitiesOf(others, temperature), reject)),
          },
  }
}

/** What label sets and a threshold, those of a run or others that are asked for, come to on test pictures. */
export async function decidedOn(
  { logits, labels }: Judged,
  others: FloatTensor,
  trust: Trust | undefined,
  { reject = trust?.reject, sets = trust?.sets }: { readonly reject?: number; readonly sets?: number },
) {
  if (reject === undefined && sets === undefined) return {}
  const probabilities = await probabilitiesOf(logits, trust?.temperature)
  const least = sets === undefined ? 0 : conformalThreshold(trust?.truths ?? [], sets)
  return {
    reject:
      reject === undefined
        ? undefined
        : {
            threshold: reject,
            ...(await rejectionOf(probabilities, labels, await probabilitiesOf(others, trust?.temperature), reject)),
          },
    sets:
      sets === undefined ? undefined : { coverage: sets, ...(await coverageOf(probabilities, labels, () => least)) },
  }
}

/** What a threshold comes to: see worthSchema. */
export type Rejection = Omit<NonNullable<Worth['reject']>, 'on' | 'threshold' | 'by'>

/** What a threshold does to pictures of the classes and to those of none. */
export async function rejectionOf(
  probabilities: FloatTensor,
  labels: readonly number[],
  others: FloatTensor,
  threshold: number,
): Promise<Rejection> {
  const given = (await answersOf(probabilities, labels)).filter(({ probability }) => probability >= threshold)
  const rest = await answersOf(others)
  const rejected = rest.filter(({ probability }) => probability < threshold).length
  return {
    answered: given.length / labels.length,
    accuracy: given.length === 0 ? null : given.filter(({ right }) => right).length / given.length,
    others: rest.length,
    rejected: rest.length === 0 ? null : rejected / rest.length,
  }
}

/** How probable the answer to a picture is, and whether it is right. */
interface Answer {
  readonly probability: number
  readonly right: boolean
}

async function answersOf(probabilities: FloatTensor, labels: readonly number[] = []): Promise<Answer[]> {
  const { data } = probabilities
  const [, classes] = dims(probabilities, 2)
  return argmaxRows(probabilities).map((c, i) => ({ probability: data[i * classes + c]!, right: c === labels[i] }))
}

/**
 * The probability below which an answer is "none of these", from pictures of the classes and those of none:
 *
 * - with an error rate, the lowest at which (wrong + 1) / (given + 1) answers are at most as many, an answer to a picture
 *   of no class being wrong; 1 where no threshold keeps it;
 * - else the one that keeps most: share of pictures of the classes answered + share of the others not answered;
 * - undefined without either.
 */
export function chosenThreshold(
  own: readonly Answer[],
  others: readonly number[],
  errorRate?: number,
): number | undefined {
  if (errorRate === undefined && others.length === 0) return undefined
  const all = [
    ...own.map((answer) => ({ ...answer, own: true })),
    ...others.map((probability) => ({ probability, right: false, own: false })),
  ]
  all.sort((a, b) => b.probability - a.probability)
  let best = { worth: Number.NEGATIVE_INFINITY, threshold: 1 }
  const given = { own: 0, others: 0, wrong: 0 }
  for (const [i, { probability, right, own: isOwn }] of all.entries()) {
    given[isOwn ? 'own' : 'others']++
    if (!right) given.wrong++
    const next = all[i + 1]?.probability ?? 0
    if (next === probability) continue // answers that are as probable are given together
    const kept =
      errorRate === undefined
        ? given.own / own.length + 1 - given.others / others.length
        : (given.wrong + 1) / (i + 2) <= errorRate
          ? i
          : Number.NEGATIVE_INFINITY
    if (kept > Number.NEGATIVE_INFINITY && kept >= best.worth)
      best = { worth: kept, threshold: (probability + next) / 2 }
  }
  return best.threshold
}

/** softmax(logits / temperature) of each row `(n, classes)`. */
export async function probabilitiesOf(logits: FloatTensor, temperature = 1): Promise<FloatTensor> {
  const [n, classes] = dims(logits, 2)
  const probabilities = floatTensor([n, classes])
  await breathing(n, (i) => {
    const row = floatTensor([1, classes], logits.data.subarray(i * classes, (i + 1) * classes))
    probabilities.data.set(softmaxRows(row, temperature).data, i * classes)
  })
  return probabilities
}

function rowsWhere({ logits, labels, folds }: OutOfFoldJudged, keep: (fold: number) => boolean) {
  const rows = folds.flatMap((fold, i) => (keep(fold) ? [i] : []))
  return { rows, logits: someRows(logits, rows), labels: rows.map((i) => labels[i]!) }
}
