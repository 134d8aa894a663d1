import { z } from 'zod'
import type { SafetensorsFile } from '../../formats/safetensors.ts'
import { readSchema } from '../../formats/schema.ts'
import { dims, type FloatTensor } from '../../graph/tensor.ts'
import { coopStep } from '../../methods/coop/program.ts'
import { POSITIONS, promptLayout } from '../../prompt/layout.ts'
import { contextShape } from '../../prompt/prompted-tower.ts'
import { BOUNDS } from './bounds.ts'
import type { Golden } from './folder.ts'
import { expectShape, figure, largest, type Report, relativeError } from './report.ts'
import { ALLOWANCE, shaken } from './stability.ts'

const schema = z.object({ classNames: z.array(z.string()).min(1), cases: z.array(z.unknown()) })

const caseSchema = z.object({
  key: z.string(),
  model: z.string(),
  M: z.int().min(1),
  position: z.enum(POSITIONS),
  classSpecific: z.boolean(),
  loss: z.number(),
})

const nameSchema = z.object({ key: z.string() })

/** What a case of a list is called in its line, even when it is not as it should be. */
export function caseName(family: string, value: unknown, i: number): string {
  return `${family} ${nameSchema.safeParse(value).data?.key ?? `case ${i + 1}`}`
}

/** coop.json and coop.safetensors: logits, loss and gradient of every kind of prompt. */
export async function checkCoop(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('coop.json', schema)
  const figures = await golden.tensors('coop.safetensors')
  if (file === undefined || figures === undefined) return
  for (const [i, value] of file.cases.entries()) {
    const what = caseName('coop', value, i)
    await report.attempt(what, async () => {
      const row = readSchema(caseSchema, value, 'coop.json')
      if (!golden.models.includes(row.model)) return report.skip(what, `there is no model folder ${row.model}`)
      await checkCase(golden, report, what, file.classNames, row, figures)
    })
  }
}

async function checkCase(
  golden: Golden,
  report: Report,
  what: string,
  classNames: readonly string[],
  row: z.output<typeof caseSchema>,
  figures: SafetensorsFile,
): Promise<void> {
  const { key, model } = row
  const clip = await golden.clip(model)
  const layout = promptLayout(clip.tokenizer, classNames, row)
  const ctx = await figures.readFloat(`${key}.ctx`)
  const features = await figures.readFloat(`${model}.features`)
  const labels = await figures.readInt(`${model}.labels`)
  const expectedLogits = await figures.readFloat(`${key}.logits`)
  const expectedGradient = await figures.readFloat(`${key}.grad`)
  const [batch] = dims(features, 2, `${model}.features`)
  expectShape(`${key}.ctx`, ctx, contextShape(clip, layout))
  expectShape(`${model}.labels`, labels, [batch])

  const session = await golden.runtime.load(coopStep(clip, layout, batch))
  try {
    const step = async (at: FloatTensor) => {
      const { loss, logits, 'gradient.ctx': gradient } = await session.run({ ctx: at, features, labels })
      return { loss: loss.data, logits: logits.data, gradient: gradient.data }
    }
    const { loss, logits, gradient } = await step(ctx)
    report.measure(`${what}, logits`, relativeError(logits, expectedLogits.data), BOUNDS.logits)
    report.measure(`${what}, loss`, relativeError(loss, [row.loss]), BOUNDS.loss)
    const error = relativeError(gradient, expectedGradient.data)
    if (error <= BOUNDS.gradient) return report.measure(`${what}, gradient`, error, BOUNDS.gradient)

    const others = await Promise.all(shaken(ctx).map(step))
    const change = largest(others.map((other) => relativeError(other.gradient, gradient)))
    const note = `a last bit changed in the context vectors changes it by ${figure(change)}`
    report.measure(`${what}, gradient`, error, Math.max(BOUNDS.gradient, ALLOWANCE * change), note)
  } finally {
    await session.dispose()
  }
}
