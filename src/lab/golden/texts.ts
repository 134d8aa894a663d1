import { z } from 'zod'
import { encodeTexts } from '../../clip/encode.ts'
import { BOUNDS } from './bounds.ts'
import type { Golden } from './folder.ts'
import { expectShape, type Report, relativeError } from './report.ts'

const schema = z.object({ rows: z.array(z.string()).min(1) })

/** text_features.json and features.safetensors: the text features of each model. */
export async function checkTexts(golden: Golden, report: Report): Promise<void> {
  const texts = await golden.json('text_features.json', schema)
  const figures = await golden.tensors('features.safetensors')
  if (texts === undefined || figures === undefined) return
  for (const model of golden.models) {
    const name = `${model}.text_features`
    if (!figures.entries.has(name)) continue
    const what = `text features ${model}`
    await report.attempt(what, async () => {
      const clip = await golden.clip(model)
      const expected = await figures.readFloat(name)
      expectShape(name, expected, [texts.rows.length, clip.config.embedDim])
      const { data } = await encodeTexts(clip, golden.runtime, texts.rows)
      report.measure(what, relativeError(data, expected.data), BOUNDS.features)
    })
  }
}
