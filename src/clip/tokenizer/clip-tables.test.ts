import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { fileSource } from '../../node/files.ts'
import { clipMerges } from '../../node/package.ts'
import { readClipTables } from './load.ts'
import { createTokenizer } from './tokenizer.ts'

const { merges, rows } = z
  .object({
    merges: z.array(z.tuple([z.number(), z.string(), z.string()])),
    rows: z.array(z.object({ text: z.string(), ids: z.array(z.number()) })),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/tokens.json', import.meta.url), 'utf8')))

/** Of OpenAI's own table: every merge and every token in the order of their ids. */
const SHA256 = '691ea20e2c4631ce2d77f2348d9ab78b5c01b2e09c995e687fb0eb4af10650e4'

it("the package's table is CLIP's: merges, ids, tokens of texts", async () => {
  const tables = await readClipTables(await fileSource(clipMerges()))
  expect([tables.merges.length, tables.vocab.size]).toEqual([48_894, 49_408])
  for (const [rank, left, right] of merges) expect(tables.merges[rank]).toEqual([left, right])
  const all = JSON.stringify({ merges: tables.merges, vocab: [...tables.vocab] })
  expect(createHash('sha256').update(all).digest('hex')).toBe(SHA256)
  const tokenizer = createTokenizer({ ...tables, contextLength: 77 })
  for (const { text, ids } of rows) expect(tokenizer.tokenize(text), text).toEqual(ids)
})
