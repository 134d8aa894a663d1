import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BYTE_TO_SYMBOL } from '../../clip/tokenizer/byte-symbols.ts'
import { parseVocabulary } from '../../clip/tokenizer/files.ts'
import { createTokenizer, mergePair, wordSymbols } from '../../clip/tokenizer/tokenizer.ts'
import { countWords, trainBpe } from './bpe-training.ts'
import { tokenizerFiles } from './save.ts'

const captions = [
  'low low low low low',
  'lower lower',
  'newest newest newest newest newest newest',
  'widest widest widest',
]

it('learns the most frequent pairs first, ties in code unit order', () => {
  // The worked example of Sennrich et al. 2016 (es 9, est 9, then low 7).
  const { merges } = trainBpe(captions, 5)
  expect(merges).toEqual([
    ['e', 's'],
    ['es', 't</w>'],
    ['l', 'o'],
    ['e', 'w'],
    ['ew', 'est</w>'],
  ])
})

it('counts texts or takes counted words', () => {
  const counts = countWords(captions)
  expect(counts).toEqual(
    new Map([
      ['low', 5],
      ['lower', 2],
      ['newest', 6],
      ['widest', 3],
    ]),
  )
  expect(trainBpe(counts, 20)).toEqual(trainBpe(captions, 20))
})

it("numbers tokens as CLIP's table does, the end token last", () => {
  const { vocab, merges } = trainBpe(captions, 3)
  expect(vocab.get('!')).toBe(0)
  expect(vocab.get(BYTE_TO_SYMBOL[0] ?? '')).toBe(188)
  expect(vocab.get('!</w>')).toBe(256)
  expect(merges.map((pair) => vocab.get(pair.join('')))).toEqual([512, 513, 514])
  expect(vocab.get('<|startoftext|>')).toBe(515)
  expect(vocab.get('<|endoftext|>')).toBe(516)
  expect(vocab.size).toBe(517)
})

it('stops when no pair stands twice', () => {
  const { merges } = trainBpe(['abc abc'], 100)
  expect(merges).toEqual([
    ['a', 'b'],
    ['ab', 'c</w>'],
  ])
})

it('learns what a plain recount after every merge would learn', () => {
  const words = fc.dictionary(fc.stringMatching(/^[abc]{1,8}$/), fc.integer({ min: 1, max: 5 }), {
    minKeys: 1,
    maxKeys: 6,
  })
  fc.assert(
    fc.property(words, (counts) => {
      const counted = new Map(Object.entries(counts))
      expect(trainBpe(counted, 8).merges).toEqual(recounted(counted, 8))
    }),
  )
})

function recounted(counts: ReadonlyMap<string, number>, merges: number): [string, string][] {
  const words = Array.from(counts, ([word, count]) => ({ symbols: wordSymbols(word), count }))
  const learned: [string, string][] = []
  while (learned.length < merges) {
    const pairs = new Map<string, number>()
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`
        pairs.set(pair, (pairs.get(pair) ?? 0) + count)
      }
    }
    const [best] = [...pairs].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    if (best === undefined || best[1] < 2) break
    const [left = '', right = ''] = best[0].split(' ')
    learned.push([left, right])
    for (const word of words) word.symbols = mergePair(word.symbols, left, right)
  }
  return learned
}

it('encodes every text and decodes it again, also after a trip through its files', () => {
  const tables = trainBpe(captions, 30)
  const files = tokenizerFiles(tables, { contextLength: 77 })
  const read = parseVocabulary({
    vocab: files.get('vocab.json') ?? '',
    merges: files.get('merges.txt') ?? '',
    vocabName: 'vocab.json',
    mergesName: 'merges.txt',
  })
  expect(read).toEqual({ vocab: tables.vocab, merges: tables.merges })
  const tokenizer = createTokenizer({ ...read, contextLength: 77 })
  expect(tokenizer.encode('lowest').map(tokenizer.tokenText)).toEqual(['low', 'est'])
  for (const text of ['newest low', 'привет мир', '犬 😀 !?', 'x9']) {
    expect(tokenizer.decode(tokenizer.encode(text)).replaceAll(' ', '')).toBe(text.replaceAll(' ', ''))
  }
})
