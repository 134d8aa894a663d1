import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createTokenizer } from '../clip/tokenizer/tokenizer.ts'
import { vocabularyOf } from '../clip/tokenizer/vocabulary.ts'
import { clipTables } from './clip-tables.ts'

const { merges, rows } = z
  .object({
    merges: z.array(z.tuple([z.number(), z.string(), z.string()])),
    rows: z.array(z.object({ text: z.string(), ids: z.array(z.number()) })),
  })
  .parse(JSON.parse(readFileSync(new URL('../clip/tokenizer/fixtures/tokens.json', import.meta.url), 'utf8')))

it("the package's table is CLIP's: merges, ids, tokens of texts", async () => {
  const tables = await clipTables()
  expect(tables.merges).toHaveLength(48_894)
  for (const [rank, left, right] of merges) expect(tables.merges[rank]).toEqual([left, right])
  expect([...vocabularyOf(tables.merges)]).toEqual([...tables.vocab].sort(([, a], [, b]) => a - b))
  const tokenizer = createTokenizer({ ...tables, contextLength: 77 })
  for (const { text, ids } of rows) expect(tokenizer.tokenize(text), text).toEqual(ids)
})
