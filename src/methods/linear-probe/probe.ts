import { breathing } from '../../base/breathe.ts'
import { floatTensor } from '../../graph/tensor.ts'
import type { LabelledRows } from '../../learning/labelled-rows.ts'
import type { Runtime } from '../../runtime/types.ts'
import { plainSolver, type StepSolver } from './conjugate-gradients.ts'
import { type LinearModel, predict } from './linear-model.ts'
import { type Fit, fitLogistic, rowsOf } from './logistic-regression.ts'
import { type NewtonOptions, newtonFit, type Problem } from './newton.ts'
import { type PrincipalAxes, principalAxes } from './principal-axes.ts'
import { isLarge, matrixProduct, plainProducts, runtimeProducts } from './products.ts'
import { runtimeSolver, sharedSolver } from './runtime-solver.ts'

/** Where a fit ends: at the optimum, or where the official code's does. */
export const SOLVERS = ['exact', 'lpclip'] as const
export type Solver = (typeof SOLVERS)[number]

export interface ProbeOptions {
  /** Default `exact`. */
  readonly solver?: Solver
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

/** The linear probe at the C that is best on `val`. Each C is fitted once, from where the fits at the nearest ones lead. */
export async function searchedProbe(
  runtime: Runtime,
  train: LabelledRows,
  val: LabelledRows,
  classes: number,
  { rounds = 8, onFit, ...options }: ProbeOptions = {},
): Promise<LinearProbe> {
  const fitter = await FITTERS[options.solver ?? 'exact'](runtime, train, classes, options)
  const fits = new Map<number, Fitted & { readonly tried: Tried }>()
  const fitAt = async (logC: number) => {
    const known = fits.get(logC)
    if (known) return known
    const C = Number((10 ** logC).toPrecision(12))
    const fitted = await fitter.fit(C, startsFor(logC, fits))
    const { fit } = fitted
    const predicted = await predict(runtime, fit, val.x)
    const right = val.labels.filter((label, i) => predicted[i] === label).length
    const made = { ...fitted, tried: { C, valAccuracy: right / val.labels.length } }
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
    await fitter.dispose()
  }
}

/** The linear probe at one C. */
export async function probeAt(
  runtime: Runtime,
  train: LabelledRows,
  classes: number,
  C: number,
  options: FitterOptions = {},
): Promise<Fit> {
  const fitter = await FITTERS[options.solver ?? 'exact'](runtime, train, classes, options)
  const { fit } = await fitter.fit(C).finally(() => fitter.dispose())
  return fit
}

/**
 * The linear probes at some C, in the order given: small ones first are found sooner, as each leads to the next.
 *
 * @param along the rows; their axes may be those of more rows
 * @param options with a `solver` for these rows, which the caller disposes of; default: one of its own
 */
export async function probesAlong(
  runtime: Runtime,
  along: PrincipalAxes,
  labels: readonly number[],
  classes: number,
  Cs: readonly number[],
  options: AlongOptions,
): Promise<Fit[]> {
  const fitter = await fitterAlong(runtime, along, labels, classes, options)
  const fits = new Map<number, Fitted>()
  try {
    for (const C of Cs) fits.set(Math.log10(C), await fitter.fit(C, startsFor(Math.log10(C), fits)))
    return Array.from(fits.values(), ({ fit }) => fit)
  } finally {
    await fitter.dispose()
  }
}

/** Solvers for `probesAlong` of some of these rows, so many at a time; none of few rows, which are solved sooner in this thread. */
export async function sharedProbes(
  runtime: Runtime,
  { rank, coordinates }: PrincipalAxes,
  labels: readonly number[],
  classes: number,
  slots: number,
): Promise<{ open(rows: readonly number[]): Promise<StepSolver | undefined>; dispose(): Promise<void> }> {
  const n = labels.length
  const width = rank + 1
  if (n * width * classes < WORTH_RUNTIME) return { open: async () => undefined, dispose: async () => {} }
  const rows = floatTensor([n, width], new Float32Array(coordinates))
  return sharedSolver(runtime, rows, labels, classes, slots)
}

/** A fit along the principal axes of the rows, and the model that it is for the rows themselves. */
interface Fitted {
  readonly along: Fit
  readonly fit: Fit
}

type FitterOptions = Pick<ProbeOptions, 'solver' | 'maxIterations' | 'signal'>
type AlongOptions = Pick<NewtonOptions, 'maxIterations' | 'decrease' | 'signal'> &
  Pick<Problem, 'offsets'> &
  Partial<Pick<Problem, 'solver'>>

/** Fits at one C after the other, over the same rows. */
interface Fitter {
  /** `from`: where it may begin, along the principal axes. */
  fit(C: number, from?: readonly LinearModel[]): Promise<Fitted>
  dispose(): Promise<void>
}

/** Multiplications of a product that the runtime, asked again and again, has done sooner than this thread. */
const WORTH_RUNTIME = 3e5

/**
 * Features have a large mean in common, and spread a thousand times farther along some directions than along others: thousands
 * of iterations. Turned into their principal axes, which leaves objective and penalty as they are, the curvature along each
 * is known.
 */
async function exactFitter(
  runtime: Runtime,
  { x, labels }: LabelledRows,
  classes: number,
  options: FitterOptions,
): Promise<Fitter> {
  const [n = 0, d = 0] = x.shape
  const { maxIterations, signal } = options
  return fitterAlong(runtime, await principalAxes(x.data, n, d), labels, classes, { maxIterations, signal })
}

async function fitterAlong(
  runtime: Runtime,
  { rank, axes, squares, mean, coordinates }: PrincipalAxes,
  labels: readonly number[],
  classes: number,
  options: AlongOptions,
): Promise<Fitter> {
  const n = labels.length
  const width = rank + 1
  const { offsets, solver: given } = options
  // few products are left where the solver is another's
  const large = given ? isLarge(n, width, classes) : n * width * classes >= WORTH_RUNTIME
  const single = large ? floatTensor([n, width], new Float32Array(coordinates)) : undefined
  const products = single ? await runtimeProducts(runtime, single, classes) : plainProducts(coordinates, n, width)
  const own = () => (single ? runtimeSolver(runtime, single, labels, classes) : plainSolver(products, labels, classes))
  const solver: StepSolver = given ?? (await own())
  const problem: Problem = { products, solver, squares: Float64Array.of(...squares, n), labels, classes, offsets }
  return {
    async fit(C, from) {
      const { maxIterations, decrease, signal } = options
      const along = await newtonFit(problem, C, { maxIterations, decrease, signal, from })
      return { along, fit: await turnedBack(runtime, along, axes, mean) }
    },
    async dispose() {
      if (!given) await solver.dispose()
      await products.dispose()
    },
  }
}

/**
 * scikit-learn's LogisticRegression (since 1.5, which divides the objective by n): L-BFGS over the features as they are,
 * from zeros, until no entry of the gradient is above its `tol` or rounding lets nothing change.
 */
const OFFICIAL_STOP = { gradient: 1e-4, drop: 64 * Number.EPSILON }

async function officialFitter(
  runtime: Runtime,
  { x, labels }: LabelledRows,
  classes: number,
  options: FitterOptions,
): Promise<Fitter> {
  const [n = 0, d = 0] = x.shape
  const rows = rowsOf(classes)
  const large = isLarge(n, d, rows)
  const products = large ? await runtimeProducts(runtime, x, rows) : plainProducts(Float64Array.from(x.data), n, d)
  return {
    async fit(C) {
      const rounding = large ? 1e-6 : undefined
      const fit = await fitLogistic(products, labels, classes, C, { ...options, stop: OFFICIAL_STOP, rounding })
      return { along: fit, fit }
    },
    dispose: () => products.dispose(),
  }
}

const FITTERS = { exact: exactFitter, lpclip: officialFitter } as const satisfies Record<Solver, typeof exactFitter>

/** The model for rows as they are of one for their coordinates along axes `(rank, d)` from a mean. */
async function turnedBack(runtime: Runtime, along: Fit, axes: Float64Array, mean: Float64Array): Promise<Fit> {
  const { classes, d: rank } = along
  const d = mean.length
  const weights = await matrixProduct(runtime, along.weights, axes, [classes, rank, d])
  const intercepts = new Float64Array(classes)
  await breathing(classes, (c) => {
    intercepts[c] = mean.reduce((sum, m, j) => sum - m * weights[c * d + j]!, along.intercepts[c]!)
  })
  return { ...along, d, weights, intercepts }
}

/** The nearest fit, and the straight line over log C through it and the next: along it fits go where C is large. */
function startsFor(logC: number, known: ReadonlyMap<number, Fitted>): LinearModel[] {
  const [near, next] = [...known].sort(([a], [b]) => Math.abs(a - logC) - Math.abs(b - logC))
  if (!near) return []
  const [a, { along: first }] = near
  if (!next) return [first]
  const [b, { along: second }] = next
  const share = (logC - a) / (b - a)
  const between = (v: Float64Array, w: Float64Array) => v.map((x, k) => x + share * (w[k]! - x))
  const weights = between(first.weights, second.weights)
  return [first, { ...first, weights, intercepts: between(first.intercepts, second.intercepts) }]
}
