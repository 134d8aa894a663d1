import { z } from 'zod'
import type { Golden } from './folder.ts'
import type { Report } from './report.ts'

const schema = z.object({ rows: z.array(z.object({ text: z.string(), ids: z.array(z.int()) })).min(1) })

/** The reference cuts texts here whatever the model's own context length is. */
const CUT = 77

/** tokens.json: the ids of texts, exactly, by the tokenizer of each model. */
export async function checkTokens(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('tokens.json', schema)
  if (file === undefined) return
  for (const model of golden.models) {
    const what = `tokens ${model}`
    await report.attempt(what, async () => {
      const { tokenizer } = await golden.clip(model)
      const tokenize = (text: string) => [
        tokenizer.startToken,
        ...tokenizer.encode(text).slice(0, CUT - 2),
        tokenizer.endToken,
      ]
      const wrong = file.rows.filter(({ text, ids }) => tokenize(text).join() !== ids.join())
      const [first] = wrong
      const note = first ? `first of them ${JSON.stringify(first.text.slice(0, 60))}` : undefined
      report.measure(`${what}, texts that differ of ${file.rows.length}`, wrong.length, 0, note)
    })
  }
}
