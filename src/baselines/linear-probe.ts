import type { FloatTensor } from '../graph/tensor.ts'
import { argmaxRows } from '../prompt/vectors.ts'
import type { Runtime } from '../runtime/types.ts'
import type { LabelledRows } from './labelled-rows.ts'
import { type Fit, fitLogistic, type LinearModel, linearOutputs, rowsOf } from './logistic-regression.ts'
import { type Products, plainProducts, runtimeProducts } from './products.ts'

export interface ProbeOptions {
  /** Rounds of bisection; default 8. */
  readonly rounds?: number
  /** Of each fit; default 1000. */
  readonly maxIterations?: number
  /** Told of each fit. */
  readonly onFit?: (tried: Tried, fit: Fit) => void
  readonly signal?: AbortSignal
}

export interface Tried {
  readonly C: number
  /** Share of the images to choose by that are right. */
  readonly valAccuracy: number
}

export interface LinearProbe {
  readonly fit: Fit
  readonly C: number
  /** In the order in which they were fitted. */
  readonly tried: readonly Tried[]
}

/** log10 of the C tried first, largest first: of several as good the first is taken. */
const COARSE = [6, 4, 2, 0, -2, -4, -6]

/**
 * log10 of the best C by the recipe of CLIP (Radford et al. 2021, A.3) as CoOp's `lpclip` has it: the best of a coarse
 * row, then rounds that keep the better half of the interval one decade to each side of it; the lower where both ends are
 * as good.
 */
export async function searchLogC(
  accuracyAt: (logC: number) => Promise<number>,
  rounds: number,
): Promise<{ readonly logC: number; readonly accuracy: number }> {
  let best = { logC: 0, accuracy: Number.NEGATIVE_INFINITY }
  for (const logC of COARSE) {
    const accuracy = await accuracyAt(logC)
    if (accuracy > best.accuracy) best = { logC, accuracy }
  }
  let [low, high] = [best.logC - 1, best.logC + 1]
  for (let round = 0; round < rounds; round++) {
    const [left, right] = [await accuracyAt(low), await accuracyAt(high)]
    const middle = (low + high) / 2
    if (left < right) {
      best = { logC: high, accuracy: right }
      low = middle
    } else {
      best = { logC: low, accuracy: left }
      high = middle
    }
  }
  return best
}

/**
 * How many different C a search tries: the first round has two new ones, the second none (its middle is the best of the
 * coarse row), and each later one keeps an end of the interval.
 */
export function fitsOfSearch(rounds: number): number {
  return COARSE.length + (rounds === 0 ? 0 : Math.max(2, rounds))
}

/** The linear probe at the C that is best on `val`. Each C is fitted once, from the fit at the nearest one before it. */
export async function searchedProbe(
  runtime: Runtime,
  train: LabelledRows,
  val: LabelledRows,
  classes: number,
  { rounds = 8, onFit, ...options }: ProbeOptions = {},
): Promise<LinearProbe> {
  const products = await productsFor(runtime, train.x, classes)
  const fits = new Map<number, { readonly fit: Fit; readonly tried: Tried }>()
  const fitAt = async (logC: number) => {
    const known = fits.get(logC)
    if (known) return known
    const from = nearest(fits, logC)?.fit
    const C = Number((10 ** logC).toPrecision(12))
    const fit = await fitProbe(products, train.labels, classes, C, { ...options, ...(from && { from }) })
    const predicted = predict(fit, val.x)
    const right = val.labels.filter((label, i) => predicted[i] === label).length
    const made = { fit, tried: { C, valAccuracy: right / val.labels.length } }
    fits.set(logC, made)
    onFit?.(made.tried, fit)
    return made
  }
  try {
    for (const logC of COARSE.toReversed()) await fitAt(logC) // small C are quick, and lead to the larger ones
    const { logC } = await searchLogC(async (logC) => (await fitAt(logC)).tried.valAccuracy, rounds)
    const { fit, tried } = await fitAt(logC)
    return { fit, C: tried.C, tried: Array.from(fits.values(), ({ tried }) => tried) }
  } finally {
    await products.dispose()
  }
}

/** The linear probe at one C. */
export async function probeAt(
  runtime: Runtime,
  { x, labels }: LabelledRows,
  classes: number,
  C: number,
  options: Omit<ProbeOptions, 'rounds' | 'onFit'> = {},
): Promise<Fit> {
  const products = await productsFor(runtime, x, classes)
  try {
    return await fitProbe(products, labels, classes, C, options)
  } finally {
    await products.dispose()
  }
}

interface RoundedProducts extends Products {
  readonly rounding?: number
}

/** Multiplications of a product above which the runtime's, in float32, is worth its overhead. */
const LARGE = 2e6

async function productsFor(runtime: Runtime, x: FloatTensor, classes: number): Promise<RoundedProducts> {
  const [n = 0, d = 0] = x.shape
  const rows = rowsOf(classes)
  if (n * d * rows < LARGE) return plainProducts(Float64Array.from(x.data), n, d)
  return { ...(await runtimeProducts(runtime, x, rows)), rounding: 1e-6 }
}

/** scikit-learn's default `tol`, on the gradient of the sum over images as the releases of the official code's time have it. */
const SUM_TOLERANCE = 1e-4

function fitProbe(
  products: RoundedProducts,
  labels: readonly number[],
  classes: number,
  C: number,
  options: { readonly maxIterations?: number; readonly from?: LinearModel; readonly signal?: AbortSignal },
): Promise<Fit> {
  const { rounding } = products
  return fitLogistic(products, labels, classes, C, {
    ...options,
    stop: { distance: 1e-3, gradient: SUM_TOLERANCE / products.n },
    ...(rounding !== undefined && { rounding }),
  })
}

function predict(fit: LinearModel, x: FloatTensor): number[] {
  const data = Float32Array.from(linearOutputs(fit, x.data))
  return argmaxRows({ dtype: 'float32', shape: [x.shape[0] ?? 0, fit.classes], data })
}

function nearest<T>(known: ReadonlyMap<number, T>, logC: number): T | undefined {
  const keys = [...known.keys()].sort((a, b) => Math.abs(a - logC) - Math.abs(b - logC))
  return known.get(keys[0] ?? Number.NaN)
}
