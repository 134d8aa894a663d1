import { z } from 'zod'
import { drawFewShot } from '../../data/fewshot.ts'
import { readSchema } from '../../formats/schema.ts'
import type { Golden } from './folder.ts'
import type { Report } from './report.ts'

const labels = z.array(z.int())
const schema = z.object({ trainLabels: labels, valLabels: labels.default([]), samples: z.array(z.unknown()) })
const sampleSchema = z.object({
  seed: z.int(),
  shots: z.int().min(1),
  train: z.array(z.int()),
  val: z.array(z.int()).optional(),
})

/** fewshot.json: which images are drawn, exactly and in order. */
export async function checkSubsets(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('fewshot.json', schema)
  if (file === undefined) return
  const items = (list: readonly number[]) => list.map((label, index) => ({ label, index }))
  const [train, val] = [items(file.trainLabels), items(file.valLabels)]
  for (const [i, value] of file.samples.entries()) {
    await report.attempt(`few-shot subset ${i + 1}`, () => {
      const sample = readSchema(sampleSchema, value, 'fewshot.json')
      const drawn = drawFewShot(train, val, sample.shots, sample.seed)
      const wrong = (part: readonly { index: number }[], expected: readonly number[]) =>
        Math.abs(part.length - expected.length) + expected.filter((index, k) => part[k]?.index !== index).length
      const count =
        wrong(drawn.train, sample.train) + wrong(drawn.val, sample.val ?? drawn.val.map(({ index }) => index))
      report.measure(`few-shot subset of ${sample.shots} shots, seed ${sample.seed}, items that differ`, count, 0)
    })
  }
}
