import { z } from 'zod'
import type { SafetensorsFile } from '../../formats/safetensors.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { zeroShotFeatures } from '../../methods/zero-shot/features.ts'
import { BOUNDS } from './bounds.ts'
import type { Golden } from './folder.ts'
import { expectShape, type Report, relativeError } from './report.ts'

const schema = z.object({ templates: z.array(z.string()).min(1), classNames: z.array(z.string()).min(1) })

type File = z.output<typeof schema>

/** zeroshot.json and zeroshot.safetensors: text features of an ensemble of templates, and logits by them. */
export async function checkZeroShot(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('zeroshot.json', schema)
  const figures = await golden.tensors('zeroshot.safetensors')
  if (file === undefined || figures === undefined) return
  for (const model of golden.models) {
    if (![`${model}.weights`, `${model}.logits`].some((name) => figures.entries.has(name))) continue
    await report.attempt(`zero-shot ${model}`, () => checkModel(golden, report, file, figures, model))
  }
}

async function checkModel(
  golden: Golden,
  report: Report,
  { classNames, templates }: File,
  figures: SafetensorsFile,
  model: string,
): Promise<void> {
  const what = `zero-shot ${model}`
  const { runtime } = golden
  const clip = await golden.clip(model)
  const weights = await zeroShotFeatures({ clip, runtime, classNames, templates })
  if (figures.entries.has(`${model}.weights`)) {
    const expected = await figures.readFloat(`${model}.weights`)
    expectShape(`${model}.weights`, expected, weights.shape)
    report.measure(`${what}, weights`, relativeError(weights.data, expected.data), BOUNDS.weights)
  }
  if (!figures.entries.has(`${model}.logits`)) return
  const coop = await golden.tensors('coop.safetensors')
  if (!coop?.entries.has(`${model}.features`)) {
    return report.skip(`${what}, logits`, `there are no features ${model}.features in coop.safetensors`)
  }
  const classifier = textClassifier({ clip, runtime, classNames }, weights)
  const features = await coop.readFloat(`${model}.features`)
  const logits = await classifier.logits(features).finally(() => classifier.dispose())
  const expected = await figures.readFloat(`${model}.logits`)
  expectShape(`${model}.logits`, expected, logits.shape)
  report.measure(`${what}, logits`, relativeError(logits.data, expected.data), BOUNDS.logits)
}
