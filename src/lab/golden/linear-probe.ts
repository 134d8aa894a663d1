import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import { readSchema } from '../../formats/schema.ts'
import { argmaxRows } from '../../learning/vectors.ts'
import { linearOutputs } from '../../methods/linear-probe/linear-model.ts'
import { type FitOptions, fitLogistic, logisticObjective } from '../../methods/linear-probe/logistic-regression.ts'
import { type Products, plainProducts } from '../../methods/linear-probe/products.ts'
import { BOUNDS } from './bounds.ts'
import type { Golden } from './folder.ts'
import { figure, largest, type Report, relativeError } from './report.ts'

const matrix = z.array(z.array(z.number()).min(1)).min(1)
const labels = z.array(z.int()).min(1)
const schema = z.object({
  trainX: matrix,
  trainY: labels,
  valX: matrix.optional(),
  valY: labels.optional(),
  testX: matrix.optional(),
  testY: labels.optional(),
  fits: z.array(z.unknown()),
})
const fitSchema = z.object({
  C: z.number().positive(),
  /** A row a class, or for two classes a single one. */
  coef: matrix,
  intercept: z.array(z.number()).min(1),
  valAccuracy: z.number().optional(),
  testAccuracy: z.number().optional(),
})

interface Problem {
  readonly products: Products
  /** Class of each row, by its place among the sorted labels. */
  readonly targets: readonly number[]
  readonly classes: readonly number[]
  readonly parts: readonly { name: 'val' | 'test'; x: Float64Array; labels: readonly number[] }[]
}

/** The optimum is compared, so fits are taken much closer to it than a classifier needs. */
const MAX_ITERATIONS = 20_000
const OPTIMUM = { distance: 1e-7 }

/** linearprobe.json: logistic regressions, their coefficients and the images they get right. */
export async function checkLinearProbe(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('linearprobe.json', schema)
  if (file === undefined) return
  const problem = problemOf(file)
  for (const [i, value] of file.fits.entries()) {
    await report.attempt(`linear probe, fit ${i + 1}`, () =>
      checkFit(problem, readSchema(fitSchema, value, 'linearprobe.json'), report),
    )
  }
}

function problemOf(file: z.output<typeof schema>): Problem {
  const d = file.trainX[0]?.length ?? 0
  const rowsOf = (name: string, x: readonly (readonly number[])[], y: readonly number[]) => {
    if (x.length === y.length && x.every((row) => row.length === d)) return Float64Array.from(x.flat())
    throw new CoopError(`linearprobe.json: ${name}X is not ${y.length} rows of ${d} numbers, one for each of ${name}Y`)
  }
  const classes = [...new Set(file.trainY)].sort((a, b) => a - b)
  return {
    products: plainProducts(rowsOf('train', file.trainX, file.trainY), file.trainX.length, d),
    targets: file.trainY.map((label) => classes.indexOf(label)),
    classes,
    parts: (['val', 'test'] as const).flatMap((name) => {
      const [x, y] = [file[`${name}X`], file[`${name}Y`]]
      return x && y ? [{ name, x: rowsOf(name, x, y), labels: y }] : []
    }),
  }
}

async function checkFit(problem: Problem, reference: z.output<typeof fitSchema>, report: Report): Promise<void> {
  const { products, targets, classes, parts } = problem
  const { C, coef, intercept } = reference
  const rows = coef.length
  const what = `linear probe, C ${C}`
  if (rows !== classes.length && !(rows === 1 && classes.length === 2)) {
    throw new CoopError(`${what}: ${rows} rows of coefficients for ${classes.length} classes`)
  }
  const errorsOf = async (stop: NonNullable<FitOptions['stop']>) => {
    const fit = await fitLogistic(products, targets, classes.length, C, { rows, stop, maxIterations: MAX_ITERATIONS })
    const first = classes.length - rows // a single row is the second class's
    const coefficients = relativeError(fit.weights.subarray(first * products.d), coef.flat())
    const intercepts = relativeError(fit.intercepts.subarray(first), intercept)
    return { fit, coefficients, intercepts, worst: Math.max(coefficients, intercepts) }
  }
  let found = await errorsOf(OPTIMUM)
  let note: string | undefined
  if (found.worst > BOUNDS.regression) {
    // A reference that stopped early. L-BFGS goes the same way here as there: it is met where the gradient falls below its
    // own, or below its tolerance, which is a power of ten.
    const gradient = new Float64Array(rows * products.d + rows)
    await logisticObjective(products, targets, rows, C)(Float64Array.from([...coef.flat(), ...intercept]), gradient)
    const own = largest(gradient) * (1 + 1e-6)
    note = `the reference is ${figure(found.worst)} from the optimum; this stops as early`
    for (const stop of [own, 10 ** Math.ceil(Math.log10(own))]) {
      const early = await errorsOf({ gradient: stop })
      if (early.worst < found.worst) found = early
    }
  }
  report.measure(`${what}, coefficients`, found.coefficients, BOUNDS.regression, note)
  report.measure(`${what}, intercepts`, found.intercepts, BOUNDS.regression)
  for (const { name, x, labels } of parts) {
    const expected = reference[`${name}Accuracy`]
    if (expected === undefined) continue
    const data = Float32Array.from(await linearOutputs(found.fit, x))
    const predicted = argmaxRows({ dtype: 'float32', shape: [labels.length, classes.length], data })
    const right = labels.filter((label, i) => classes[predicted[i] ?? 0] === label).length
    const difference = Math.abs(right - Math.round(expected * labels.length))
    report.measure(`${what}, ${name} images right of ${labels.length}, difference`, difference, 0)
  }
}
