/** A function's value and derivative along a line, at a step. */
export interface LinePoint {
  readonly step: number
  readonly value: number
  readonly slope: number
}

/** Sufficient decrease and sufficient flattening: the constants of the strong Wolfe conditions. */
const DECREASE = 1e-3
const FLATTENING = 0.9
/** An interval this narrow, relative to its far end, is as good as a point. */
const NARROW = 0.1
const MAX_STEP = 1e10
const MAX_TRIALS = 50

/**
 * Line search of Moré & Thuente (ACM TOMS 20, 1994): a step t with
 *
 *     f(t) <= f(0) + c1 t f'(0)   and   |f'(t)| <= c2 |f'(0)|
 *
 * out of an interval that is known to hold one, narrowed by cubic and quadratic interpolation, with the constants that
 * L-BFGS-B has. Where values differ by `rounding` (relatively) only, the slope alone decides. Undefined when there is no
 * such step.
 */
export async function lineSearch<P extends LinePoint>(
  evaluate: (step: number) => Promise<P>,
  start: LinePoint,
  firstStep: number,
  rounding: number,
): Promise<P | undefined> {
  const noWorse = start.value + rounding * Math.abs(start.value)
  const line = DECREASE * start.slope // the slope of the line that values have to be under
  const interval = new Interval(start, line)
  let step = firstStep
  for (let trial = 0; trial < MAX_TRIALS; trial++) {
    const point = await evaluate(step)
    if (!Number.isFinite(point.value) || !Number.isFinite(point.slope)) {
      step = (interval.best.step + step) / 2
      continue
    }
    const under = point.value <= start.value + step * line
    const flat = Math.abs(point.slope) <= FLATTENING * Math.abs(start.slope)
    if (flat && (under || point.value <= noWorse)) return point
    if (interval.exhausted(step)) return under || point.value <= noWorse ? point : undefined
    if (step === MAX_STEP) return undefined
    step = interval.next(point)
  }
  return undefined
}

/** What is known of where the step lies: the best point so far, and once there is one, a point on the other side. */
class Interval {
  best: LinePoint
  #other: LinePoint
  #bracketed = false
  /** First the function less the line is minimised, until a point under the line with a rising slope is seen. */
  #first = true
  readonly #start: LinePoint
  readonly #line: number
  #low = 0
  #high = Number.POSITIVE_INFINITY
  #width = MAX_STEP
  #widthBefore = 2 * MAX_STEP

  constructor(start: LinePoint, line: number) {
    this.best = start
    this.#other = start
    this.#start = start
    this.#line = line
  }

  exhausted(step: number): boolean {
    if (!this.#bracketed) return false
    return step <= this.#low || step >= this.#high || this.#high - this.#low <= NARROW * this.#high
  }

  /** Takes a point into account; the step to try next. */
  next(point: LinePoint): number {
    const { best } = this
    const line = this.#line
    if (this.#high === Number.POSITIVE_INFINITY) this.#high = 5 * point.step
    const under = point.value <= this.#start.value + point.step * line
    if (this.#first && under && point.slope >= 0) this.#first = false
    let step: number
    if (this.#first && point.value <= best.value && !under) {
      const less = ({ step, value, slope }: LinePoint) => ({ step, value: value - step * line, slope: slope - line })
      step = this.#narrow(less(best), less(this.#other), less(point), point)
    } else {
      step = this.#narrow(best, this.#other, point, point)
    }
    if (this.#bracketed) {
      const width = Math.abs(this.#other.step - this.best.step)
      if (width >= 0.66 * this.#widthBefore) step = (this.best.step + this.#other.step) / 2
      this.#widthBefore = this.#width
      this.#width = width
      this.#low = Math.min(this.best.step, this.#other.step)
      this.#high = Math.max(this.best.step, this.#other.step)
    } else {
      this.#low = step + 1.1 * (step - this.best.step)
      this.#high = step + 4 * (step - this.best.step)
    }
    step = Math.min(Math.max(step, 0), MAX_STEP)
    return this.exhausted(step) ? this.best.step : step
  }

  /** Replaces an end of the interval by the point (cases 1 to 4 of section 4 of the paper), by what `of` shows of it. */
  #narrow(best: LinePoint, other: LinePoint, of: LinePoint, point: LinePoint): number {
    const wasBracketed = this.#bracketed
    const opposite = of.slope * Math.sign(best.slope) < 0
    const higher = of.value > best.value
    if (higher || opposite) this.#bracketed = true
    if (higher) {
      this.#other = point
      return beyond(best, of)
    }
    if (opposite) this.#other = this.best
    this.best = point
    if (opposite) return across(best, of)
    const end = of.step > best.step ? this.#high : this.#low
    if (Math.abs(of.slope) < Math.abs(best.slope)) {
      const step = ahead(best, of, end, wasBracketed)
      if (!wasBracketed) return Math.min(Math.max(step, this.#low), this.#high)
      const limit = of.step + 0.66 * (other.step - of.step)
      return of.step > best.step ? Math.min(limit, step) : Math.max(limit, step)
    }
    return wasBracketed ? minimumOfCubic(of, other) : end
  }
}

/** Case 1, the value is higher: nearer the best, between the minima of cubic and parabola unless the cubic's is nearer. */
function beyond(best: LinePoint, point: LinePoint): number {
  const cubic = minimumOfCubic(best, point)
  const width = point.step - best.step
  const parabola = best.step + (best.slope / ((best.value - point.value) / width + best.slope) / 2) * width
  return Math.abs(cubic - best.step) < Math.abs(parabola - best.step) ? cubic : cubic + (parabola - cubic) / 2
}

/** Case 2, the slope has turned: of cubic and secant the step that is farther from the point. */
function across(best: LinePoint, point: LinePoint): number {
  const cubic = minimumOfCubic(point, best)
  const secant = secantStep(best, point)
  return Math.abs(cubic - point.step) > Math.abs(secant - point.step) ? cubic : secant
}

/** Case 3, the slope is flatter: the step nearer to the point within a bracket, else the one farther out. */
function ahead(best: LinePoint, point: LinePoint, end: number, bracketed: boolean): number {
  const { p, q, gamma } = cubicThrough(point, best)
  const r = p / q
  const cubic = r < 0 && gamma !== 0 ? point.step + r * (best.step - point.step) : end
  const secant = secantStep(best, point)
  const nearer = Math.abs(cubic - point.step) < Math.abs(secant - point.step)
  return nearer === bracketed ? cubic : secant
}

function secantStep(best: LinePoint, { step, slope }: LinePoint): number {
  return step + (slope / (slope - best.slope)) * (best.step - step)
}

/** The minimum of the cubic with both points' values and slopes. */
function minimumOfCubic(a: LinePoint, b: LinePoint): number {
  const { p, q } = cubicThrough(a, b)
  return a.step + (p / q) * (b.step - a.step)
}

function cubicThrough(a: LinePoint, b: LinePoint): { p: number; q: number; gamma: number } {
  const theta = (3 * (a.value - b.value)) / (b.step - a.step) + a.slope + b.slope
  const s = Math.max(Math.abs(theta), Math.abs(a.slope), Math.abs(b.slope))
  const root = s * Math.sqrt(Math.max(0, (theta / s) ** 2 - (a.slope / s) * (b.slope / s)))
  const gamma = b.step < a.step ? -root : root
  return { p: gamma - a.slope + theta, q: gamma - a.slope + gamma + b.slope, gamma }
}
