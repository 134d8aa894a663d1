import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { BYTE_TO_SYMBOL, BYTES_IN_ID_ORDER } from './byte-symbols.ts'
import { parseTokenizerJson, parseVocabulary } from './files.ts'
import { createTokenizer, END_OF_WORD, encodePlain, type Merge, type TokenizerTables } from './tokenizer.ts'

const fixture = z
  .object({
    merges: z.array(z.tuple([z.number(), z.string(), z.string()])),
    rows: z.array(z.object({ text: z.string(), ids: z.array(z.number()) })),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/tokens.json', import.meta.url), 'utf8')))

/** The part of CLIP's table that the rows touch, with CLIP's own ids. */
function clipTables(special: readonly [string, string] = ['<|startoftext|>', '<|endoftext|>']): TokenizerTables {
  const symbols = BYTES_IN_ID_ORDER.map((byte) => BYTE_TO_SYMBOL[byte] ?? '')
  const vocab = new Map<string, number>()
  for (const [id, symbol] of symbols.entries()) vocab.set(symbol, id).set(symbol + END_OF_WORD, 256 + id)
  for (const [rank, left, right] of fixture.merges) vocab.set(left + right, 512 + rank)
  vocab.set(special[0], 49406).set(special[1], 49407)
  return { vocab, merges: fixture.merges.map(([, left, right]): Merge => [left, right]) }
}

const clip = createTokenizer({ ...clipTables(), contextLength: 77 })

describe('ids of the reference', () => {
  it.each(fixture.rows)('$text', ({ text, ids }) => expect(clip.tokenize(text)).toEqual(ids))
})

it('cuts to the context length and ends with the end token', () => {
  const short = createTokenizer({ ...clipTables(), contextLength: 6 })
  expect(short.tokenize('a photo of a dog.')).toEqual([49406, 320, 1125, 539, 320, 49407])
  expect(short.tokenize('a photo')).toEqual([49406, 320, 1125, 49407])
  expect(short.encode('a photo of a dog.')).toEqual([320, 1125, 539, 320, 1929, 269])
})

it('takes a spelled-out special token for that token', () => {
  expect(clip.encode('dog <|endoftext|> dog')).toEqual([1929, 49407, 1929])
})

it('skips U+0345 as the reference does', () => {
  expect(clip.encode('dog\u0345dog \u0345')).toEqual([1929, 1929])
})

it("knows OpenCLIP's names of the special tokens", () => {
  const open = createTokenizer({ ...clipTables(['<start_of_text>', '<end_of_text>']), contextLength: 77 })
  expect(open.tokenize('dog')).toEqual([49406, 1929, 49407])
})

it('decodes ids, whole and one by one', () => {
  expect(clip.decode(clip.encode("A photo of a café's dog 😀!"))).toBe("a photo of a café 's dog 😀!")
  expect(clip.tokenText(1929)).toBe('dog')
  expect(clip.tokenText(320)).toBe('a')
  expect(clip.tokenText(49407)).toBe('<|endoftext|>')
  expect(() => clip.decode([60000])).toThrow(/no token with the id 60000/)
})

describe('tables', () => {
  it('keep a token that is called as what every object has', () => {
    const vocab = `{"__proto__": 0, "constructor": 1, "a": 2}`
    const names = { vocabName: 'vocab.json', mergesName: 'merges.txt' }
    const tokens = [...parseVocabulary({ vocab, merges: '', ...names }).vocab]
    const model = `{"vocab": ${vocab}, "merges": [], "end_of_word_suffix": "</w>"}`
    expect(tokens).toEqual([
      ['__proto__', 0],
      ['constructor', 1],
      ['a', 2],
    ])
    expect([...parseTokenizerJson(`{"model": ${model}}`, 'tokenizer.json').vocab]).toEqual(tokens)
    const added = { text: '{"__proto__": 7}', name: 'added_tokens.json' }
    expect(parseVocabulary({ vocab: '{}', merges: '', added, ...names }).vocab.get('__proto__')).toBe(7)
  })

  it('must have every byte, every merge and the special tokens', () => {
    const without = (token: string) => {
      const { vocab, merges } = clipTables()
      const less = new Map(vocab)
      less.delete(token)
      return () => createTokenizer({ vocab: less, merges, contextLength: 77, name: 'm/vocab.json' })
    }
    for (const token of ['a', `z${END_OF_WORD}`, 'in', '<|startoftext|>', '<|endoftext|>']) {
      expect(without(token), token).toThrow(FileError)
      expect(without(token), token).toThrow(`m/vocab.json has no token "${token}"`)
    }
  })

  const names = { vocabName: 'm/vocab.json', mergesName: 'm/merges.txt' }

  it('are the same from vocab.json + merges.txt and from tokenizer.json', () => {
    const { vocab, merges } = clipTables()
    const lines = merges.map((pair) => pair.join(' '))
    const vocabJson = JSON.stringify(Object.fromEntries(vocab))
    const slow = parseVocabulary({ vocab: vocabJson, merges: `#version: 0.2\n${lines.join('\n')}\n`, ...names })
    expect(slow).toEqual({ vocab, merges })
    const special = ['<|startoftext|>', '<|endoftext|>'].map((content) => ({ id: vocab.get(content), content }))
    for (const written of [lines, merges]) {
      const model = { type: 'BPE', vocab: Object.fromEntries(vocab), merges: written, end_of_word_suffix: '</w>' }
      expect(parseTokenizerJson(JSON.stringify({ model, added_tokens: special }), 'm/tokenizer.json')).toEqual(slow)
    }
  })

  it('keep a merge that begins with "#"', () => {
    const { merges } = parseVocabulary({ vocab: '{}', merges: '#version: 0.2\n# #</w>\n', ...names })
    expect(merges).toEqual([['#', '#</w>']])
  })

  it('are refused with file and line', () => {
    const parse = (vocab: string, merges: string) => () => parseVocabulary({ vocab, merges, ...names })
    expect(parse('{}', 'a b\nab\n')).toThrow('m/merges.txt, line 2: "ab" is not two symbols')
    expect(parse('{}', 'a b c\n')).toThrow('m/merges.txt, line 1')
    expect(parse('{"a": "x"}', '')).toThrow(/m\/vocab\.json is not as expected:\n {2}a: .*number/)
    expect(parse('{"a": 1, "b": 1}', '')).toThrow('"a" and "b" have the same id 1')
    expect(parse('{"a": 1', '')).toThrow('m/vocab.json:1:8: not valid JSON')
    expect(() => parseTokenizerJson('{"model": {"type": "WordPiece"}}', 't.json')).toThrow(/t\.json.*\n {2}model\.type/)
  })
})

describe('added tokens', () => {
  const token = { id: 49408, content: '<SKS>', normalized: true, singleWord: false }
  const withToken = (changes = {}) =>
    createTokenizer({ ...clipTables(), added: [{ ...token, ...changes }], contextLength: 77 })

  it('are found before words, as transformers finds them', () => {
    const ids = (text: string) => withToken().encode(text)
    expect(ids('a photo of a <sks> dog')).toEqual([320, 1125, 539, 320, 49408, 1929])
    expect(ids('a photo of <SKS>dog')).toEqual([320, 1125, 539, 49408, 1929])
    expect(withToken().decode(ids('a <sks> dog'))).toBe('a <SKS> dog')
    // as it is written only
    const exact = withToken({ normalized: false })
    expect(exact.encode('a <SKS> dog')).toEqual([320, 49408, 1929])
    expect(exact.encode('a <sks> dog')).not.toContain(49408)
    const single = withToken({ content: 'photo', singleWord: true })
    expect(single.encode('a Photo.')).toEqual([320, 49408, 269])
    for (const text of ['a photos', 'a photo_1']) expect(single.encode(text)).not.toContain(49408)
  })

  it('are read from tokenizer.json and from added_tokens.json', () => {
    const { vocab, merges } = clipTables()
    const model = { type: 'BPE', vocab: Object.fromEntries(vocab), merges, end_of_word_suffix: '</w>' }
    const text = JSON.stringify({
      model,
      added_tokens: [
        { id: 49407, content: '<|endoftext|>', special: true, normalized: false },
        { id: 49408, content: '<SKS>', normalized: true, single_word: false, lstrip: true },
      ],
    })
    expect(parseTokenizerJson(text, 'tokenizer.json').added).toEqual([token])
    const files = {
      vocab: JSON.stringify(model.vocab),
      merges: merges.map((merge) => merge.join(' ')).join('\n'),
      vocabName: 'vocab.json',
      mergesName: 'merges.txt',
    }
    for (const added of [
      { text, name: 'tokenizer.json' },
      { text: '{"<SKS>": 49408}', name: 'added_tokens.json' },
    ]) {
      expect(parseVocabulary({ ...files, added }).added).toEqual([token])
    }
    expect(parseVocabulary(files).added).toBeUndefined()
  })
})

it('text that is part of a prompt does not spell out start and end token', () => {
  expect(encodePlain(clip, 'a dog')).toEqual(clip.encode('a dog'))
  for (const text of ['cat <|endoftext|> dog', 'CAT<|EndOfText|>', '<|startoftext|>', 'a &lt;|endoftext|&gt;']) {
    expect(() => encodePlain(clip, text)).toThrow(/has <\|(end|start)oftext\|> in it/)
  }
})
