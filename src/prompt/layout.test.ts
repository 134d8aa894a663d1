import { describe, expect, it } from 'vitest'
import { CoopError, UsageError } from '../base/errors.ts'
import { createTokenizer } from '../clip/tokenizer/tokenizer.ts'
import { pack } from '../clip/towers/packing.ts'
import { tinyTables } from '../testing/tiny-clip.ts'
import { checkClassNames, layoutForImages, POSITIONS, type Position, promptLayout } from './layout.ts'

const tokenizer = createTokenizer({ ...tinyTables, contextLength: 24 })
const { startToken, endToken } = tokenizer

/** A sequence with `c0 c1 ...` for context vectors and token ids for words. */
function readable(names: readonly string[], M: number, position: Position, classSpecific = false) {
  const layout = promptLayout(tokenizer, names, { M, position, classSpecific })
  return layout.sequences.map((slots) =>
    slots.map((slot) => (slot < layout.contextRows ? `c${slot}` : layout.tokens[slot - layout.contextRows])),
  )
}

const dog = tokenizer.encode('dog')
const stop = tokenizer.encode('.')

describe('checkClassNames', () => {
  it('lets two classes have the very same name, as ImageNet has, but not two spellings of one', () => {
    expect(() => checkClassNames(tokenizer, ['missile', 'cat', 'missile'])).not.toThrow()
    expect(() => checkClassNames(tokenizer, ['sea_horse', 'cat', 'Sea horse'])).toThrow(/"sea_horse" and "Sea horse"/)
    expect(() => checkClassNames(tokenizer, ['cat', ' '])).toThrow(/no words/)
    expect(() => checkClassNames(tokenizer, ['cat <|endoftext|> dog'])).toThrow(/has <\|endoftext\|> in it/)
  })
})

describe('promptLayout', () => {
  it.each<[Position, (string | number)[]]>([
    ['end', ['c0', 'c1', 'c2', ...dog, ...stop]],
    ['middle', ['c0', ...dog, 'c1', 'c2', ...stop]],
    ['front', [...dog, 'c0', 'c1', 'c2', ...stop]],
  ])('puts the class name at the %s; the first half of an odd context is the smaller', (position, between) => {
    expect(readable(['dog'], 3, position)).toEqual([[startToken, ...between, endToken]])
  })

  it('gives each class its own context vectors where they are class-specific', () => {
    expect(readable(['dog', 'dog'], 2, 'end', true)).toEqual([
      [startToken, 'c0', 'c1', ...dog, ...stop, endToken],
      [startToken, 'c2', 'c3', ...dog, ...stop, endToken],
    ])
  })

  it('shares what prompts begin with: all context at the end, half of it in the middle, only the start in front', () => {
    const prefix = (position: Position, classSpecific: boolean) =>
      promptLayout(tokenizer, ['dog', 'cat'], { M: 4, position, classSpecific }).packing.prefix
    expect(POSITIONS.map((position) => prefix(position, false))).toEqual([5, 3, 1])
    expect(POSITIONS.map((position) => prefix(position, true))).toEqual([1, 1, 1])
  })

  it('reads _ as a space', () => {
    expect(readable(['toilet_paper'], 1, 'end')).toEqual(readable(['toilet paper'], 1, 'end'))
  })

  it('tokenises the name together with the full stop, and cuts the name off by its own length', () => {
    // ")" and "." are one run of punctuation: here a merge makes one token of them
    const merged = createTokenizer({
      vocab: new Map([...tinyTables.vocab, [').</w>', tinyTables.vocab.size]]),
      merges: [...tinyTables.merges, [')', '.</w>']],
      contextLength: 24,
    })
    const layout = promptLayout(merged, ['(cat)'], { M: 2, position: 'front', classSpecific: false })
    const tokens = layout.sequences[0]?.map((slot) => layout.tokens[slot - 2] ?? 'c')
    expect(tokens).toEqual([startToken, ...merged.encode('(cat).'), 'c', 'c', endToken])
    expect(merged.encode('(cat).')).toHaveLength(merged.encode('(cat)').length)
  })

  it('refuses a name that leaves no room, naming it, its tokens and the limit', () => {
    const shape = { M: 16, position: 'end', classSpecific: false } as const
    const name = 'a very long name of a house'
    const tokens = tokenizer.encode(`${name}.`).length
    expect(() => promptLayout(tokenizer, ['dog', name], shape)).toThrow(CoopError)
    expect(() => promptLayout(tokenizer, ['dog', name], shape)).toThrow(
      new RegExp(`"${name}" is too long: its ${tokens} tokens .*16 context vectors.* make ${tokens + 18}.* takes 24`),
    )
  })

  it('takes a prompt that fits exactly', () => {
    const room = 24 - 2 - tokenizer.encode('dog.').length
    expect(readable(['dog'], room, 'end')[0]).toHaveLength(24)
    expect(() => readable(['dog'], room + 1, 'end')).toThrow(/too long/)
  })

  it('refuses a name without words, and a context that is no whole number of vectors', () => {
    expect(() => readable(['dog', '_'], 2, 'end')).toThrow(/"_" has no words/)
    for (const M of [0, -1, 1.5, Number.NaN]) expect(() => readable(['dog'], M, 'end')).toThrow(UsageError)
  })
})

describe('layoutForImages', () => {
  const names = ['dog', 'toilet_paper', 'cat']

  it.each<[Position, number]>([
    ['end', 3],
    ['middle', 2],
    ['front', 1],
  ])('class name at the %s: prompts of an image have its context and share its beginning', (position, prefix) => {
    const layout = promptLayout(tokenizer, names, { M: 2, position, classSpecific: false })
    const { contextRows, sequences, packing, tokens } = layoutForImages(layout, 3)
    expect(contextRows).toBe(6)
    for (const [i, sequence] of sequences.entries()) {
      const one = sequence.map((slot) => (slot < 6 ? slot - 2 * Math.floor(i / 3) : slot - 4))
      expect(one).toEqual(layout.sequences[i % 3])
    }
    expect(packing).toMatchObject({ families: 3, prefix })
    expect(packing.slots).toHaveLength(3 * layout.packing.slots.length)
    const first = packing.slots.slice(0, 3 * prefix)
    expect(first).toEqual([0, 3, 6].flatMap((i) => sequences[i]?.slice(0, prefix)))
    expect(packing.positions.slice(0, 2 * prefix)).toEqual(
      [0, 1].flatMap(() => Array.from({ length: prefix }, (_, i) => i)),
    )
    expect(tokens).toEqual(layout.tokens)
  })

  it('of one image is the layout itself', () => {
    const layout = promptLayout(tokenizer, names, { M: 2, position: 'end', classSpecific: false })
    expect(layoutForImages(layout, 1)).toEqual(layout)
  })
})

it('packs only families of the same lengths', () => {
  expect(() =>
    pack(
      [
        [1, 2],
        [1, 2, 3],
      ],
      true,
      2,
    ),
  ).toThrow(/2 families/)
  expect(() =>
    pack(
      [
        [1, 2],
        [1, 2],
        [1, 3],
      ],
      true,
      2,
    ),
  ).toThrow(/2 families/)
})
