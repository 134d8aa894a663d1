import { FileError } from '../../base/errors.ts'
import { BYTE_TO_SYMBOL, BYTES_IN_ID_ORDER } from './byte-symbols.ts'
import { parseMerges } from './files.ts'
import { END_OF_WORD, type Merge, SPECIAL_TOKENS, type TokenizerTables } from './tokenizer.ts'

/**
 * CLIP's order of ids: bytes, bytes that end a word, merges, start token, end token. The end token has the largest id:
 * OpenCLIP finds the end of a text by that. Two merges to the same text share one id.
 */
export function vocabularyOf(merges: readonly Merge[]): Map<string, number> {
  const bytes = BYTES_IN_ID_ORDER.map((byte) => BYTE_TO_SYMBOL[byte] ?? '')
  const tokens = new Set([
    ...bytes,
    ...bytes.map((symbol) => symbol + END_OF_WORD),
    ...merges.map(([left, right]) => left + right),
    ...SPECIAL_TOKENS[0],
  ])
  return new Map([...tokens].map((token, id) => [token, id]))
}

/** Ids that are no merges: bytes, bytes that end a word, start and end token. */
const OTHER_IDS = 2 * 256 + SPECIAL_TOKENS[0].length

/**
 * Tables of OpenAI's `bpe_simple_vocab_16e6.txt`: the first line is a note, and of the merges only as many count as the
 * vocabulary has room for. Throws FileError when there are too few, or a line is no merge.
 */
export function parseOpenAiMerges(text: string, name: string, vocabSize: number): TokenizerTables {
  const wanted = vocabSize - OTHER_IDS
  const lines = text.split('\n').slice(0, 1 + Math.max(0, wanted))
  const merges = parseMerges(lines.join('\n'), name)
  if (merges.length !== wanted) {
    throw new FileError(
      `${name} has ${merges.length} merges, but a vocabulary of ${vocabSize} tokens needs ${wanted}`,
      "download the file again, or use the model's own tokenizer",
    )
  }
  return { vocab: vocabularyOf(merges), merges }
}
