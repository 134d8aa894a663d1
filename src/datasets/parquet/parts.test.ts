import { describe, expect, it } from 'vitest'
import { CoopError } from '../../base/errors.ts'
import { NO_CARD, readCard } from './card.ts'
import { chooseParts, splitOfPath } from './parts.ts'

const choose = (paths: readonly string[], config?: string, card = NO_CARD) => {
  const { config: chosen, parts, leftOut } = chooseParts('SET', paths, card, config)
  return { chosen, parts: parts.map(({ path, split }) => `${split}: ${path}`), leftOut }
}

const refusal = (paths: readonly string[], config?: string, card = NO_CARD): string => {
  try {
    return JSON.stringify(choose(paths, config, card))
  } catch (error) {
    if (!(error instanceof CoopError)) throw error
    return `${error.message} | ${error.remedy}`
  }
}

describe('splitOfPath', () => {
  it.each([
    ['train-00000-of-00001.parquet', 'train'],
    ['data/validation-00000-of-00002-abc.parquet', 'val'],
    ['my_test.parquet', 'test'],
    ['my-test.parquet', 'test'],
    ['default/partial-train/0000.parquet', 'train'],
    ['plain_text/test/0000.parquet', 'test'],
    ['training.parquet', 'train'],
    ['0000.parquet', undefined],
  ])('%s: %s', (path, split) => {
    expect(splitOfPath(path)).toBe(split)
  })
})

describe('chooseParts without card', () => {
  it('knows the layouts of the hub', () => {
    const parts = ['test: data/test-00000-of-00001.parquet', 'train: data/train-00000-of-00001.parquet']
    expect(choose(['README.md', ...parts.map((part) => part.replace(/.*: /, ''))])).toMatchObject({ chosen: '', parts })
    expect(choose(['default/train/0000.parquet', 'default/test/0000.parquet']).parts).toEqual([
      'test: default/test/0000.parquet',
      'train: default/train/0000.parquet',
    ])
    expect(choose(['train/x.parquet', 'val/x.parquet']).parts).toEqual(['train: train/x.parquet', 'val: val/x.parquet'])
    expect(choose(['one.parquet']).parts).toEqual(['undefined: one.parquet'])
  })

  it('wants one of several configurations named', () => {
    const paths = ['big/train/0.parquet', 'small/train/0.parquet', 'small/test/0.parquet']
    expect(choose(paths, 'small')).toMatchObject({
      chosen: 'small',
      parts: ['test: small/test/0.parquet', 'train: small/train/0.parquet'],
    })
    expect(refusal(paths)).toMatch(/SET has several configurations: big, small \| choose one/)
    expect(refusal(paths, 'tiny')).toMatch(/no configuration "tiny" \| its configurations are big, small/)
    expect(choose([...paths, 'default/train/0.parquet']).chosen).toBe('default')
  })

  it('refuses what is not there', () => {
    expect(refusal(['train.csv'])).toMatch(/SET has no parquet files/)
    expect(refusal(['train-00000-of-00003.parquet', 'train-00002-of-00003.parquet'])).toMatch(
      /only 2 of the 3 files of train-\*-of-00003\.parquet were found/,
    )
  })
})

const CARD = `---
license: mit
dataset_info:
- config_name: full
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '10': ten
          '0': zero
          '2': two
- config_name: old
  features:
  - {name: label, dtype: {class_label: {names: [a, b]}}}
configs:
- config_name: full
  data_files:
  - split: train
    path: full/train-*
  - split: validation
    path: [full/valid-0*, "full/more/**"]
  - split: extra
    path: full/extra-*
- config_name: old
  default: true
  data_files: old/*.parquet
---
# A data set
---
`

describe('chooseParts with a card', () => {
  const paths = [
    'full/train-0.parquet',
    'full/valid-0.parquet',
    'full/more/x/1.parquet',
    'full/extra-0.parquet',
    'old/1.parquet',
  ]

  it('takes the files that the card names', async () => {
    expect(choose(paths, 'full', await readCard(CARD))).toEqual({
      chosen: 'full',
      parts: ['train: full/train-0.parquet', 'val: full/more/x/1.parquet', 'val: full/valid-0.parquet'],
      leftOut: ['extra'],
    })
    expect(choose(paths, undefined, await readCard(CARD))).toMatchObject({
      chosen: 'old',
      parts: ['train: old/1.parquet'],
    })
    expect(refusal(paths, 'x', await readCard(CARD))).toMatch(/its configurations are full, old/)
  })

  it('is not kept busy by a pattern of many stars', async () => {
    const evil = CARD.replace('full/train-*', `'${'*x'.repeat(50)}'`).replace('old/*.parquet', `'${'*'.repeat(90)}'`)
    const long = [`${'x'.repeat(200)}/train.parquet`, `full/valid-0${'x'.repeat(200)}`]
    expect(choose(long, undefined, await readCard(evil)).parts).toHaveLength(1)
  })

  it('does without a card that names no parquet files', async () => {
    expect(choose(['train.parquet'], undefined, await readCard(CARD)).parts).toEqual(['train: train.parquet'])
  })
})

describe('readCard', () => {
  it('reads label names in the order of their numbers', async () => {
    const { labelNames } = await readCard(CARD.replaceAll('\n', '\r\n'))
    expect(labelNames.get('full')?.get('label')).toEqual(['zero', 'two', 'ten'])
    expect(labelNames.get('old')?.get('label')).toEqual(['a', 'b'])
  })

  it.each([
    ['', []],
    ['# Title', []],
    ['---\nno end', []],
    ['---\ntitle: x\n---', []],
    ['---\n: [\n---\n', [/^README.md: the data set card cannot be read and is left out: line [23]: /]],
    [
      '---\ndataset_info: 3\nconfigs: {a: 1}\n---\n',
      [/"configs" of the data set card cannot be read/, /"dataset_info" of the data set card cannot be read/],
    ],
    ['---\n- 1\n---', [/the data set card cannot be read and is left out: it is not a list of keys/]],
  ])('takes %j for an empty one, and says why', async (text, expected) => {
    const warnings: string[] = []
    const card = await readCard(text, 'README.md', { onWarning: (warning) => warnings.push(warning) })
    expect(card).toEqual({ configs: [], labelNames: new Map() })
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)))
  })
})
