import { BYTE_TO_SYMBOL, BYTES_IN_ID_ORDER } from '../../clip/byte-symbols.ts'
import {
  END_OF_WORD,
  type Merge,
  mergePair,
  splitWords,
  type TokenizerTables,
  wordSymbols,
} from '../../clip/tokenizer.ts'
import { randomFor } from '../../random.ts'
import { captionFor, nameForms } from './captions.ts'
import type { PictureFacts } from './pictures.ts'
import { randomView } from './view.ts'

const startText = '<|startoftext|>'
const endText = '<|endoftext|>'

/** Merges of the small CLIP's own table: nearly every word of the captions is one token. */
export const mergeCount = 4000
const captionsEach = 3

/** A tokenizer's tables learned on the captions that training will use; always the same for the same pictures. */
export function buildTokenizer(pictures: readonly PictureFacts[], merges = mergeCount): TokenizerTables {
  const counts = new Map<string, number>()
  const add = (text: string, weight: number) => {
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + weight)
  }
  const wordCount = (text: string) => splitWords(text).length
  pictures.forEach((facts, i) => {
    const random = randomFor('vocabulary', i)
    // Emoji are drawn more often than icons in training, and the tasks that follow are theirs.
    const weight = facts.group === 'emoji' ? 3 : 1
    for (let k = 0; k < captionsEach; k++)
      add(captionFor(facts, randomView(facts, random).named, random, wordCount, { least: 12, most: 24 }), weight)
    for (const name of nameForms(facts)) add(name, weight)
  })
  const learned = learnMerges(counts, merges)
  return { merges: learned, vocab: vocabularyOf(learned) }
}

/** Ids as in CLIP's own table: bytes, bytes that end a word, merges in order, the two marks. */
function vocabularyOf(merges: readonly Merge[]): Map<string, number> {
  const bytes = BYTES_IN_ID_ORDER.map((byte) => BYTE_TO_SYMBOL[byte] ?? '')
  const tokens = [
    ...bytes,
    ...bytes.map((symbol) => symbol + END_OF_WORD),
    ...merges.map(([left, right]) => left + right),
    startText,
    endText,
  ]
  return new Map(tokens.map((token, id) => [token, id]))
}

/**
 * Byte-pair encoding (Sennrich et al. 2016): merges the commonest neighbours again and again. Counts are kept up to
 * date word by word, so a merge costs only the words that hold it. Ties go to the pair that comes first by code point.
 */
function learnMerges(counts: ReadonlyMap<string, number>, wanted: number): Merge[] {
  const words = Array.from(counts, ([word, count]) => ({ symbols: wordSymbols(word), count }))
  const pairs = new Map<string, { count: number; words: Set<number> }>()
  const change = (index: number, sign: 1 | -1) => {
    const { symbols, count } = words[index]!
    for (let i = 0; i + 1 < symbols.length; i++) {
      const key = `${symbols[i]} ${symbols[i + 1]}`
      const pair = pairs.get(key) ?? { count: 0, words: new Set() }
      pair.count += sign * count
      if (sign > 0) pair.words.add(index)
      if (pair.count > 0) pairs.set(key, pair)
      else pairs.delete(key)
    }
  }
  for (let index = 0; index < words.length; index++) change(index, 1)

  const merges: Merge[] = []
  while (merges.length < wanted) {
    let best: string | undefined
    let most = 1
    for (const [key, { count }] of pairs)
      if (count > most || (count === most && best !== undefined && key < best)) {
        best = key
        most = count
      }
    if (best === undefined) return merges
    const [left = '', right = ''] = best.split(' ')
    merges.push([left, right])
    for (const index of [...(pairs.get(best)?.words ?? [])]) {
      change(index, -1)
      words[index]!.symbols = mergePair(words[index]!.symbols, left, right)
      change(index, 1)
    }
    pairs.delete(best)
  }
  return merges
}
