import { CoopError, FileError } from '../../base/errors.ts'
import { BYTE_TO_SYMBOL, SYMBOL_TO_BYTE } from './byte-symbols.ts'
import { cleanText } from './text-cleaning.ts'

/** CLIP's tokenizer: lower-cased text to ids by byte-level byte-pair encoding, and back. */
export interface Tokenizer {
  readonly startToken: number
  readonly endToken: number
  readonly contextLength: number
  /** Ids of a text without start and end token, not cut. */
  encode(text: string): number[]
  /** Start token, ids, end token; cut to `contextLength` with the end token last. */
  tokenize(text: string): number[]
  /** The text of ids, words separated by spaces. Throws FileError for an id outside the vocabulary. */
  decode(ids: readonly number[]): string
  /** The text of one id, without the end-of-word mark. */
  tokenText(id: number): string
}

/** Two symbols that become one; a table's order is the merges' priority. */
export type Merge = readonly [string, string]

/** A token that is looked for in a text before it is split into words, as Hugging Face's added tokens are. */
export interface AddedToken {
  readonly content: string
  readonly id: number
  /** Looked for in the cleaned text, itself cleaned; else in the text as it is. */
  readonly normalized: boolean
  /** Only where no letter, digit or `_` is next to it. */
  readonly singleWord: boolean
}

/** The vocabulary and the merges of a byte-pair tokenizer. */
export interface TokenizerTables {
  readonly vocab: ReadonlyMap<string, number>
  readonly merges: readonly Merge[]
  /** Start and end token are not among them. */
  readonly added?: readonly AddedToken[]
}

export interface TokenizerOptions extends TokenizerTables {
  /** Tokens of a prompt with start and end; CLIP's 77. */
  readonly contextLength: number
  /** What messages call the vocabulary. */
  readonly name?: string
}

/** How start and end token are written: by OpenAI and Hugging Face, and by OpenCLIP. */
export const SPECIAL_TOKENS = [
  ['<|startoftext|>', '<|endoftext|>'],
  ['<start_of_text>', '<end_of_text>'],
] as const
/** Marks the last symbol of a word. */
export const END_OF_WORD = '</w>'

/**
 * Contractions, words, single digits, runs of anything else but white space (text is lower-cased before). U+0345 is
 * none of these: its upper case is a letter, and OpenAI's pattern ignores case.
 */
const WORDS = /'[sſtmd]|'re|'ve|'ll|\p{L}+|\p{N}|(?:(?!\u0345)[^\p{White_Space}\p{L}\p{N}])+/gu

/** Words of a text as the byte-pair encoder takes them: cleaned, lower-cased, split. */
export function splitWords(text: string): string[] {
  return cleanText(text).match(WORDS) ?? []
}

/** The symbols a word starts as: one for each byte of its UTF-8, the last one with the end-of-word mark. */
export function wordSymbols(word: string): string[] {
  const symbols = Array.from(new TextEncoder().encode(word), (byte) => BYTE_TO_SYMBOL[byte] ?? '')
  symbols.push(`${symbols.pop() ?? ''}${END_OF_WORD}`)
  return symbols
}

/**
 * A tokenizer equal to OpenAI's `simple_tokenizer` for any table of merges.
 * Throws FileError when the vocabulary lacks a byte, a merge or one of the two special tokens.
 */
export function createTokenizer({
  vocab,
  merges,
  added = [],
  contextLength,
  name = 'the vocabulary',
}: TokenizerOptions): Tokenizer {
  const ranks = ranksOf(merges, vocab, name)
  const idOf = (token: string) => vocab.get(token) ?? missingToken(token, name)
  const [startText, endText] = SPECIAL_TOKENS.find(([start]) => vocab.has(start)) ?? SPECIAL_TOKENS[0]
  const startToken = idOf(startText)
  const endToken = idOf(endText)
  // As with OpenAI's, a special token that is spelled out in a text is that token.
  const specials = [startText, endText].map((token) => token.replaceAll('|', '\\|'))
  const words = new RegExp([...specials, WORDS.source].join('|'), 'gu')
  let tokens: ReadonlyMap<number, string> | undefined // made when an id is to be read: most who encode never do
  const [raw, normalized] = [false, true].map((wanted) => addedSplitter(added.filter((t) => t.normalized === wanted)))
  const known = new Map<string, readonly number[]>([
    [startText, [startToken]],
    [endText, [endToken]],
  ])

  const encodeWord = (word: string): readonly number[] => {
    const before = known.get(word)
    if (before !== undefined) return before
    const ids = mergeSymbols(wordSymbols(word), ranks).map(idOf)
    if (known.size < MAX_KNOWN_WORDS) known.set(word, ids)
    return ids
  }
  const tokenOf = (id: number) => {
    tokens ??= tokensById(vocab, added)
    const token = tokens.get(id)
    if (token === undefined) throw new FileError(`${name} has no token with the id ${id}`)
    return token
  }
  const encodeCleaned = (text: string) =>
    splitAt(text, normalized, (part) => (part.match(words) ?? []).flatMap(encodeWord))
  const encode = (text: string) => splitAt(text, raw, (part) => encodeCleaned(cleanText(part)))
  return {
    startToken,
    endToken,
    contextLength,
    encode,
    tokenize: (text) => [startToken, ...encode(text).slice(0, contextLength - 2), endToken],
    decode: (ids) => symbolsText(ids.map(tokenOf).join('')).trimEnd(),
    tokenText: (id) => symbolsText(tokenOf(id)).trimEnd(),
  }
}

function tokensById(vocab: ReadonlyMap<string, number>, added: readonly AddedToken[]): ReadonlyMap<number, string> {
  const tokens = new Map<number, string>()
  for (const [token, id] of vocab) tokens.set(id, token)
  for (const { id, content } of added) tokens.set(id, content + END_OF_WORD)
  return tokens
}

interface AddedSplitter {
  readonly pattern: RegExp
  readonly ids: ReadonlyMap<string, number>
}

/** Of tokens that begin alike the longest is found. White space around them makes no tokens, so it need not be stripped. */
function addedSplitter(added: readonly AddedToken[]): AddedSplitter | undefined {
  const sought = added.map((token) => ({ ...token, text: token.normalized ? cleanText(token.content) : token.content }))
  const longest = sought.filter(({ text }) => text !== '').sort((a, b) => b.text.length - a.text.length)
  if (longest.length === 0) return undefined
  const patterns = longest.map(({ text, singleWord }) => {
    const literal = text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    return singleWord ? `(?<!${WORD_CHARACTER})${literal}(?!${WORD_CHARACTER})` : literal
  })
  return {
    pattern: new RegExp(`(${patterns.join('|')})`, 'u'),
    ids: new Map(longest.map(({ text, id }) => [text, id])),
  }
}

const WORD_CHARACTER = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]'

/** The ids of added tokens where they are, and of all between them as `encode` says. */
function splitAt(text: string, splitter: AddedSplitter | undefined, encode: (part: string) => number[]): number[] {
  if (splitter === undefined) return encode(text)
  return text
    .split(splitter.pattern)
    .flatMap((part, i) => (i % 2 === 1 ? (splitter.ids.get(part) ?? []) : encode(part)))
}

/**
 * The ids of a text that is part of a prompt. Throws CoopError where it spells out the start or the end token: OpenAI's
 * code reads the feature at the first end token, and what stands behind it would be lost.
 */
export function encodePlain(tokenizer: Tokenizer, text: string): number[] {
  const tokens = tokenizer.encode(text)
  const special = tokens.find((token) => token === tokenizer.startToken || token === tokenizer.endToken)
  if (special === undefined) return tokens
  const spelled = tokenizer.tokenText(special)
  throw new CoopError(
    `the text ${JSON.stringify(text)} has ${spelled} in it, which is not a word but the ${special === tokenizer.endToken ? 'end' : 'start'} of a text`,
    `take ${spelled} out of the class name or prompt`,
  )
}

/** Keeps memory bounded when a service encodes endless new words. */
const MAX_KNOWN_WORDS = 100_000

/** The rank of each merge, by its left symbol, then by its right one: keys of both would take longer to make. */
type Ranks = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Joins, again and again, the neighbours whose merge was learned first, wherever that pair stands. */
function mergeSymbols(symbols: readonly string[], ranks: Ranks): readonly string[] {
  let word = symbols
  while (word.length > 1) {
    let best = Number.POSITIVE_INFINITY
    let first = -1
    for (let i = 0; i + 1 < word.length; i++) {
      const rank = ranks.get(word[i]!)?.get(word[i + 1]!) ?? Number.POSITIVE_INFINITY
      if (rank < best) {
        best = rank
        first = i
      }
    }
    if (first < 0) return word
    word = mergePair(word, word[first]!, word[first + 1]!)
  }
  return word
}

/** Replaces every `left right` by one symbol, from left to right. */
export function mergePair(word: readonly string[], left: string, right: string): string[] {
  const merged: string[] = []
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      merged.push(left + right)
      i++
    } else {
      merged.push(word[i]!)
    }
  }
  return merged
}

function symbolsText(symbols: string): string {
  const bytes: number[] = []
  for (const symbol of symbols.replaceAll(END_OF_WORD, ' ')) {
    const byte = SYMBOL_TO_BYTE.get(symbol)
    if (byte !== undefined) bytes.push(byte)
    else bytes.push(...new TextEncoder().encode(symbol))
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

/** Throws FileError where the vocabulary lacks a byte or what a merge makes. */
function ranksOf(merges: readonly Merge[], vocab: ReadonlyMap<string, number>, name: string): Ranks {
  for (const symbol of BYTE_TO_SYMBOL) {
    for (const token of [symbol, symbol + END_OF_WORD]) if (!vocab.has(token)) missingToken(token, name)
  }
  const ranks = new Map<string, Map<string, number>>()
  for (const [rank, [left, right]] of merges.entries()) {
    if (!vocab.has(left + right)) missingToken(left + right, name)
    const behind = ranks.get(left)
    if (behind === undefined) ranks.set(left, new Map([[right, rank]]))
    else behind.set(right, rank)
  }
  return ranks
}

function missingToken(token: string, name: string): never {
  throw new FileError(
    `${name} has no token ${JSON.stringify(token)}, so its vocabulary does not match its merges`,
    'use vocab.json and merges.txt (or tokenizer.json) of the same model',
  )
}
