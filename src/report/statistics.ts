/** What several runs that differ in their seed alone amount to, in the unit of their values. */
export interface Summary {
  readonly n: number
  readonly mean: number
  /** Sample standard deviation (n - 1); undefined for one value. */
  readonly sd: number | undefined
  /** Ends of the 95 % confidence interval of the mean, by Student's t; undefined for fewer than three values. */
  readonly interval: readonly [number, number] | undefined
  /** By the convention of the official scripts (Dassl's parse_test_res.py); undefined for one value. */
  readonly official: { readonly sd: number; readonly half: number } | undefined
}

/** Values of which an interval is given: Student's t of two makes one that is 25 deviations wide. */
export const LEAST_VALUES = 3

/**
 * Mean, deviation and interval of values. The official scripts take the population deviation (n) and as the half of a 95 % interval
 * 1.96 sd / sqrt n, which for three seeds is less than half as wide as Student's.
 *
 * @param within what the mean cannot leave, as 0 to 100 %: the interval ends there
 * @throws RangeError where there is nothing to sum up
 */
export function summarise(values: readonly number[], within: readonly [number, number] = EVERYWHERE): Summary {
  const n = values.length
  if (n === 0) throw new RangeError('a mean needs at least one value')
  const mean = meanOf(values)
  if (n === 1) return { n, mean, sd: undefined, interval: undefined, official: undefined }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const sd = Math.sqrt(squares / (n - 1))
  const population = Math.sqrt(squares / n)
  const official = { sd: population, half: (1.96 * population) / Math.sqrt(n) }
  if (n < LEAST_VALUES) return { n, mean, sd, interval: undefined, official }
  const half = (quantileFor(n - 1) * sd) / Math.sqrt(n)
  const [least, most] = within
  return { n, mean, sd, interval: [Math.max(least, mean - half), Math.min(most, mean + half)], official }
}

const EVERYWHERE = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const
/** What a mean of accuracies in % cannot leave. */
export const PERCENT = [0, 100] as const

const quantiles = new Map<number, number>()

/** Of the 95 % interval; kept, because a report asks for few of them thousands of times. */
function quantileFor(degrees: number): number {
  const quantile = quantiles.get(degrees) ?? studentQuantile(0.975, degrees)
  quantiles.set(degrees, quantile)
  return quantile
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Harmonic mean of two accuracies: 2 a b / (a + b). */
export const harmonicMean = (a: number, b: number): number => (a + b === 0 ? 0 : (2 * a * b) / (a + b))

/**
 * The value that a Student t variable with `degrees` of freedom stays below with probability `p`; found by bisection.
 * @throws RangeError unless 0 < p < 1 and degrees > 0
 */
export function studentQuantile(p: number, degrees: number): number {
  if (!(p > 0 && p < 1 && degrees > 0)) throw new RangeError(`no quantile of ${p} with ${degrees} degrees of freedom`)
  if (p < 0.5) return -studentQuantile(1 - p, degrees)
  let high = 1
  while (studentCdf(high, degrees) < p) high *= 2
  let low = high === 1 ? 0 : high / 2
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2
    if (studentCdf(middle, degrees) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Halvings of an interval, after which it is no wider than the rounding of its ends. */
const BISECTIONS = 60

/** For t >= 0: F(t) = 1 - I_x(v/2, 1/2) / 2 with x = v / (v + t^2). */
function studentCdf(t: number, degrees: number): number {
  return 1 - regularisedBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
}

/** I_x(a, b), by its continued fraction, which converges fast where x < (a + 1) / (a + b + 2); else I_x(a, b) = 1 - I_{1-x}(b, a). */
function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a
  return front * betaFraction(x, a, b)
}

/** 1 / (1 + d_1 / (1 + d_2 / (1 + ...))), from the inside out; the d are those of Abramowitz and Stegun 26.5.8. */
function betaFraction(x: number, a: number, b: number): number {
  let value = 1
  for (let m = TERMS; m >= 0; m--) {
    const even = ((m + 1) * (b - m - 1) * x) / ((a + 2 * m + 1) * (a + 2 * m + 2))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    value = 1 + odd / (1 + even / value)
  }
  return 1 / value
}

/** Enough for a million degrees of freedom. */
const TERMS = 500

/** ln Gamma(x) for x > 0: Stirling's series, after steps up to where it is exact to rounding. */
function logGamma(x: number): number {
  if (x < 15) return logGamma(x + 1) - Math.log(x)
  const inverse = 1 / (x * x)
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series
}
