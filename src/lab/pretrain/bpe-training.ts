import { type Merge, mergePair, splitWords, type TokenizerTables, wordSymbols } from '../../clip/tokenizer/tokenizer.ts'
import { vocabularyOf } from '../../clip/tokenizer/vocabulary.ts'

/** How often each word stands in some texts, words as the tokenizer splits them. */
export function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return counts
}

interface CountedWord {
  readonly count: number
  symbols: readonly string[]
}

interface PairStatistics {
  readonly pair: Merge
  count: number
  /** Words that have, or once had, the pair. */
  readonly words: Set<CountedWord>
}

/**
 * Learns a byte-pair table of at most `merges` merges: again and again the most frequent pair of neighbours becomes one
 * symbol (among equals the first in code unit order, so the same counts give the same table). Stops early when no pair
 * stands twice.
 */
export function trainBpe(words: ReadonlyMap<string, number> | Iterable<string>, merges: number): TokenizerTables {
  const counts = words instanceof Map ? words : countWords(textsOf(words))
  const pairs = new Map<string, PairStatistics>()
  for (const [word, count] of counts) countPairs(pairs, { count, symbols: wordSymbols(word) }, 1)
  const learned: Merge[] = []
  while (learned.length < merges) {
    const best = mostFrequent(pairs)
    if (best === undefined || best.count < 2) break
    learned.push(best.pair)
    applyMerge(pairs, best)
  }
  return { vocab: vocabularyOf(learned), merges: learned }
}

function* textsOf(words: ReadonlyMap<string, number> | Iterable<string>): Generator<string> {
  for (const text of words) if (typeof text === 'string') yield text
}

/** Adds (`sign` 1) or takes away (-1) a word's pairs. */
function countPairs(pairs: Map<string, PairStatistics>, word: CountedWord, sign: 1 | -1): void {
  for (let i = 0; i + 1 < word.symbols.length; i++) {
    const pair: Merge = [word.symbols[i]!, word.symbols[i + 1]!]
    const key = pair.join(' ')
    const known = pairs.get(key)
    const statistics = known ?? { pair, count: 0, words: new Set() }
    statistics.count += sign * word.count
    if (sign === 1) statistics.words.add(word)
    if (known === undefined) pairs.set(key, statistics)
  }
}

function mostFrequent(pairs: ReadonlyMap<string, PairStatistics>): PairStatistics | undefined {
  let best: PairStatistics | undefined
  for (const candidate of pairs.values()) {
    if (best === undefined || candidate.count > best.count) best = candidate
    else if (candidate.count === best.count && before(candidate.pair, best.pair)) best = candidate
  }
  return best
}

function before(a: Merge, b: Merge): boolean {
  return a[0] === b[0] ? a[1] < b[1] : a[0] < b[0]
}

function applyMerge(pairs: Map<string, PairStatistics>, { pair: [left, right], words }: PairStatistics): void {
  for (const word of words) {
    const merged = mergePair(word.symbols, left, right)
    if (merged.length === word.symbols.length) continue
    countPairs(pairs, word, -1)
    word.symbols = merged
    countPairs(pairs, word, 1)
  }
  pairs.delete(`${left} ${right}`)
}
