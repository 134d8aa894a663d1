import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import type { SafetensorsFile } from '../../formats/safetensors.ts'
import { readSchema } from '../../formats/schema.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { inOrder } from '../../learning/batches.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { PAPER_SETTINGS, type TrainedPrompt, type TrainingTask, trainPrompt } from '../../methods/coop/train-prompt.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import { BOUNDS } from './bounds.ts'
import { caseName } from './coop.ts'
import type { Golden } from './folder.ts'
import { expectShape, figure, largest, type Report, relativeError } from './report.ts'
import { ALLOWANCE, shaken } from './stability.ts'

const schema = z.object({ classNames: z.array(z.string()).min(1), runs: z.array(z.unknown()) })

const runSchema = z.object({
  key: z.string(),
  model: z.string(),
  position: z.enum(POSITIONS),
  classSpecific: z.boolean(),
  M: z.int().min(1),
  epochs: z.int().min(1),
  batchSize: z.int().min(1),
  losses: z.array(z.number()),
  lr: z.array(z.number()).optional(),
})

type Run = z.output<typeof runSchema>

/** train.json and train.safetensors: whole training runs with the batches in order. */
export async function checkTraining(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('train.json', schema)
  const figures = await golden.tensors('train.safetensors')
  if (file === undefined || figures === undefined) return
  for (const [i, value] of file.runs.entries()) {
    const what = caseName('training', value, i)
    await report.attempt(what, async () => {
      const run = readSchema(runSchema, value, 'train.json')
      if (run.lr !== undefined) checkRates(report, what, run.epochs, run.lr)
      if (!golden.models.includes(run.model)) return report.skip(what, `there is no model folder ${run.model}`)
      await checkRun(golden, report, what, file.classNames, run, figures)
    })
  }
}

/** Learning rates, one an epoch. */
export function checkRates(report: Report, what: string, epochs: number, expected: readonly number[]): void {
  const { learningRate } = PAPER_SETTINGS
  const rates = Array.from({ length: epochs }, (_, epoch) => learningRateOf({ epochs, learningRate }, epoch))
  report.measure(`${what}, learning rates`, relativeError(rates, expected), BOUNDS.learningRate)
}

async function checkRun(
  golden: Golden,
  report: Report,
  what: string,
  classNames: readonly string[],
  run: Run,
  figures: SafetensorsFile,
): Promise<void> {
  const { key } = run
  const clip = await golden.clip(run.model)
  const features = await figures.readFloat(`${key}.features`)
  const labels = await figures.readInt(`${key}.labels`)
  const start = await figures.readFloat(`${key}.ctx0`)
  const expectedCtx = await figures.readFloat(`${key}.ctx`)
  const [images, embed] = dims(features, 2, `${key}.features`)
  expectShape(`${key}.labels`, labels, [images])
  expectShape(`${key}.ctx`, expectedCtx, start.shape)
  const { M, position, classSpecific, epochs, batchSize } = run
  const task: TrainingTask = {
    clip,
    runtime: golden.runtime,
    classNames,
    set: { features: floatTensor([images, 1, embed], features.data), labels: Array.from(labels.data, Number) },
    settings: { ...PAPER_SETTINGS, M, position, classSpecific, epochs, batchSize },
  }
  const end = await trainFrom(task, start)
  const errors = run.losses.map((loss, i) => Math.abs((end.losses[i] ?? Number.NaN) - loss))
  if (end.losses.length !== run.losses.length) {
    throw new CoopError(`${end.losses.length} steps were taken, the folder has ${run.losses.length}`)
  }
  const ctxError = relativeError(end.ctx.data, expectedCtx.data)
  if (largest(errors) <= BOUNDS.training && ctxError <= BOUNDS.training) {
    report.measure(`${what}, losses`, largest(errors), BOUNDS.training)
    report.measure(`${what}, context vectors`, ctxError, BOUNDS.training)
    return
  }
  await checkUnstableRun(report, what, task, start, end, errors, ctxError)
}

const trainFrom = (task: TrainingTask, start: FloatTensor): Promise<TrainedPrompt> =>
  trainPrompt(task, { start, order: inOrder })

/**
 * A training run can amplify rounding until its later losses are chance: no two float32 programs agree on them. Where
 * that is so is measured, by runs whose start differs in the last bit. Steps that are determined by the start are held
 * to the bound, the others to a few times what rounding does.
 */
async function checkUnstableRun(
  report: Report,
  what: string,
  task: TrainingTask,
  start: FloatTensor,
  end: TrainedPrompt,
  errors: readonly number[],
  ctxError: number,
): Promise<void> {
  const spread = errors.map(() => 0)
  let ctxSpread = 0
  for (const other of shaken(start)) {
    const run = await trainFrom(task, other)
    for (const [i, loss] of run.losses.entries()) {
      spread[i] = Math.max(spread[i] ?? 0, Math.abs(loss - (end.losses[i] ?? Number.NaN)))
    }
    ctxSpread = Math.max(ctxSpread, relativeError(run.ctx.data, end.ctx.data))
  }
  const steps = errors.length
  const lost = spread.findIndex((x) => ALLOWANCE * x > BOUNDS.training)
  const determined = lost < 0 ? steps : lost
  const bound = (x: number) => Math.max(BOUNDS.training, ALLOWANCE * x)
  if (determined > 0) {
    const of = determined === steps ? '' : ` of steps 1-${determined}`
    report.measure(`${what}, losses${of}`, largest(errors.slice(0, determined)), BOUNDS.training)
  }
  if (determined < steps) {
    // What rounding has done by a step it can do again later: the bound never shrinks.
    const bounds = spread.map((_, i) => bound(largest(spread.slice(0, i + 1))))
    const excess = (i: number) => (errors[i] ?? Number.NaN) / (bounds[i] ?? 1)
    const worst = range(determined, steps).reduce((a, b) => (excess(a) > excess(b) ? a : b))
    const note = `unstable: step ${worst + 1}, by which a last bit changed in the start changes them by ${figure((bounds[worst] ?? 0) / ALLOWANCE)}`
    const last = `${what}, losses of steps ${determined + 1}-${steps}`
    report.measure(last, errors[worst] ?? Number.NaN, bounds[worst] ?? 0, note)
  }
  const note = ctxSpread > BOUNDS.training ? `unstable: a last bit changes them by ${figure(ctxSpread)}` : undefined
  report.measure(`${what}, context vectors`, ctxError, bound(ctxSpread), note)
}

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i)
