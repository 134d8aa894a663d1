import { z } from 'zod'
import { readSchema } from '../clip/schema.ts'
import { CoopError } from '../errors.ts'
import { promptLayout } from '../prompt/layout.ts'
import { contextShape, trainingProgram } from '../prompt/prompted-tower.ts'
import { BOUNDS } from './bounds.ts'
import { clipOf, type Golden } from './folder.ts'
import { expectShape, type Report, relativeError } from './report.ts'

const schema = z.object({ classNames: z.array(z.string()).min(1), cases: z.array(z.unknown()) })

const caseSchema = z.object({
  key: z.string(),
  model: z.string(),
  M: z.int().min(1),
  position: z.enum(['end', 'middle', 'front']),
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
      const { key, model } = row
      if (!golden.models.includes(model)) return report.skip(what, `there is no model folder ${model}`)
      const clip = await clipOf(golden, model)
      const layout = promptLayout(clip.tokenizer, file.classNames, row)
      const ctx = await figures.readFloat(`${key}.ctx`)
      const features = await figures.readFloat(`${model}.features`)
      const labels = await figures.readInt(`${model}.labels`)
      const [batch = 0] = features.shape
      expectShape(`${key}.ctx`, ctx, contextShape(clip, layout))
      expectShape(`${model}.labels`, labels, [batch])
      const session = await golden.runtime.load(trainingProgram(clip, layout, batch))
      const { loss, logits, gradient } = await session.run({ ctx, features, labels }).finally(() => session.dispose())
      if (!loss || !logits || !gradient) throw new CoopError('the training step gave nothing')
      const expectedLogits = await figures.readFloat(`${key}.logits`)
      const expectedGradient = await figures.readFloat(`${key}.grad`)
      report.measure(`${what}, logits`, relativeError(logits.data, expectedLogits.data), BOUNDS.logits)
      report.measure(`${what}, loss`, relativeError(loss.data, [row.loss]), BOUNDS.loss)
      report.measure(`${what}, gradient`, relativeError(gradient.data, expectedGradient.data), BOUNDS.gradient)
    })
  }
}
