import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { deflateSync, inflateSync } from 'node:zlib'
import { parseCsv } from '../../src/data/csv.ts'
import { readMatFile } from '../../src/datasets/official/matlab.ts'
import { findOfficialDataset } from '../../src/datasets/official/table.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { readCard } from '../../src/datasets/parquet/card.ts'
import { readParquet } from '../../src/datasets/parquet/index.ts'
import { INDEX, readIndex } from '../../src/datasets/parquet/unpack.ts'
import { parseJson, placeInJson } from '../../src/formats/json.ts'
import { writeSafetensors } from '../../src/formats/safetensors.ts'
import { type FloatTensor, floatTensor, type IntTensor, intTensor } from '../../src/graph/tensor.ts'
import { type Column, writeTable } from '../../src/node/table.ts'
import type { Shell } from './mutate.ts'
import { encode, type Reader, textReader } from './reader.ts'

interface Miniature {
  readonly files: readonly string[]
  readonly texts?: Readonly<Record<string, string>>
  readonly binary?: Readonly<Record<string, string>>
  readonly saved?: string
}

const fixtures = new URL('../../src/datasets/', import.meta.url)
const read = (path: string): Buffer => readFileSync(new URL(path, fixtures))
const miniatures: Readonly<Record<string, Miniature>> = JSON.parse(read('official/fixtures/miniatures.json').toString())

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** The compressed variable of a MATLAB file. */
const matVariable: Shell = {
  open(whole) {
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length)
    if (whole.length < 136 || view.getUint32(128, true) !== 15) return undefined
    return new Uint8Array(inflateSync(whole.subarray(136, 136 + view.getUint32(132, true))))
  },
  close(whole, inner) {
    const packed = deflateSync(inner)
    const bytes = new Uint8Array(136 + packed.length)
    bytes.set(whole.subarray(0, 132))
    new DataView(bytes.buffer).setUint32(132, packed.length, true)
    bytes.set(packed, 136)
    return bytes
  },
}

/** A file of an official data set, all others as they should be. */
function annotation(id: string, file: string, seed: Uint8Array, text: boolean): Reader {
  return {
    name: `${id}: ${file.split('/').at(-1)}`,
    text,
    ...(text ? {} : { shell: matVariable }),
    prepare(scratch) {
      const { files, texts = {}, binary = {} } = miniatures[id] ?? { files: [] }
      for (const each of files) put(join(scratch, each), '')
      for (const [name, content] of Object.entries(texts)) put(join(scratch, name), content)
      for (const [name, content] of Object.entries(binary)) put(join(scratch, name), Buffer.from(content, 'base64'))
      return {
        seeds: [seed],
        read(input) {
          put(join(scratch, file), input)
          return openDataset(id, { root: scratch, cache: join(scratch, 'cache') })
        },
      }
    },
  }
}

const annotations = Object.entries(miniatures).flatMap(([id, { texts = {}, binary = {}, saved }]) => {
  const { folder, splitFile } = findOfficialDataset(id) ?? { folder: id, splitFile: undefined }
  return [
    ...Object.entries(texts).map(([file, text]) => annotation(id, file, encode(text), true)),
    ...Object.entries(binary).map(([file, base64]) =>
      annotation(id, file, new Uint8Array(Buffer.from(base64, 'base64')), false),
    ),
    ...(saved !== undefined && splitFile !== undefined && id === 'dtd'
      ? [annotation(id, `${folder}/${splitFile}`, encode(saved), true)]
      : []),
  ]
})

/** A list beside pictures. */
function list(
  name: string,
  file: string,
  seeds: readonly string[],
  besides: Readonly<Record<string, string>> = {},
): Reader {
  return {
    name,
    text: true,
    words: ['1.png', '4.png', 'train', 'test', 'val', 'path', 'label', 'split', 'label_name', '3.0', '-1', '1e3'],
    prepare(scratch) {
      for (let i = 1; i <= 8; i++) put(join(scratch, `${i}.png`), '')
      for (const [name, content] of Object.entries(besides)) put(join(scratch, name), content)
      const opened = Object.keys(besides).find((each) => each.endsWith('.csv')) ?? file
      return {
        seeds: seeds.map(encode),
        read(input) {
          put(join(scratch, file), input)
          return openDataset(join(scratch, opened), { cache: join(scratch, 'cache') })
        },
      }
    },
  }
}

const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({
  path: `${i}.png`,
  label: i % 2 ? 'dog' : 'sea, horse',
  split: i < 5 ? 'train' : 'test',
}))
const lined = (delimiter: string) =>
  [['path', 'label', 'split'], ...rows.map((row) => Object.values(row).map((value) => `"${value}"`))]
    .map((fields) => fields.join(delimiter))
    .join('\n')
const NUMBERED = `path,label\n${rows.map(({ path }, i) => `${path},${i % 2}`).join('\n')}\n`

const CARD = `---
configs:
- config_name: default
  default: true
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: ["data/test-*", "x/*"]
dataset_info:
  config_name: default
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
---
# A data set
`
/** What YAML has beside plain values. */
export const YAML = [
  '&a',
  '*a',
  '<<: *a',
  '- ',
  '? ',
  '!!binary',
  '!!js/function',
  '!!set',
  '---',
  '...',
  '%YAML 1.2',
  '|',
  '>',
  '~',
  '{',
  '[',
  '#',
  '"',
  '\t',
  '@',
  '`',
]

const given = rows.map((row, i) => ({ ...row, features: [i, 1 - i, 0.5] }))
const GIVEN_CSV = `file,label,split,feature_0,feature_1\n${rows.map((row, i) => `${row.path},${i % 2},${row.split},${i},1e-3`).join('\n')}\n`
const GIVEN_TENSORS = writeSafetensors(
  new Map<string, FloatTensor | IntTensor>([
    ['features', floatTensor([4, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))],
    ['labels', intTensor([4], [0, 1, 0, 1])],
  ]),
  { classNames: '["cat", "dog"]', splits: '["train", "train", "test", "test"]', format: 'coop-features-1' },
)

/** Features in files of several formats, one of which is changed. */
const givenFeatures = (file: string): Reader => ({
  name: file,
  text: file.endsWith('.csv'),
  async prepare(scratch) {
    const columns: Column[] = [
      { kind: 'text', name: 'file', values: rows.map(({ path }) => path) },
      { kind: 'class', name: 'label', values: rows.map((_, i) => i % 2), classNames: ['cat', 'dog'] },
      { kind: 'text', name: 'split', values: rows.map(({ split }) => split) },
      {
        kind: 'matrix',
        name: 'feature',
        many: 'features',
        values: floatTensor([8, 2], new Float32Array(16).fill(0.5)),
      },
    ]
    const opened = join(scratch, file.replace('.labels.csv', '.npy'))
    await writeTable(opened, { rows: rows.length, columns })
    return {
      seeds: [new Uint8Array(readFileSync(join(scratch, file)))],
      read(input) {
        put(join(scratch, file), input)
        return openDataset(opened, { cache: join(scratch, 'cache') })
      },
    }
  },
})

const PARQUET = ['none', 'gzip', 'zstd', 'brotli', 'lz4', 'train-00000-of-00001'].map(
  (name) => new Uint8Array(read(`parquet/fixtures/${name}.parquet`)),
)

export const datasetReaders: readonly Reader[] = [
  textReader('CSV', ['a,b\n1,"x ""y"", z"\n2,\n', 'a\tb\r\n1\t2\r\n'], (text) => [
    [...parseCsv(text, ',', 'INPUT')],
    [...parseCsv(text, '\t', 'INPUT')],
  ]),
  textReader('JSON', ['{"a": [1, 2.5e3, {"b": null}], "c": "x\\u00e9\\n", "d": true}', '[[], {}, "", -0]'], (text) => {
    parseJson(text, 'INPUT')
    return placeInJson(text, ['a', 2, 'b'])
  }),
  list('list.csv', 'list.csv', [lined(','), NUMBERED]),
  list('list.tsv', 'list.tsv', [lined('\t')]),
  list('list.jsonl', 'list.jsonl', [rows.map((row) => JSON.stringify(row)).join('\n')]),
  list('classes.txt', 'classes.txt', ['cat\ndog\n', '\ufeffsea horse\r\nyellow_bird\r\n'], { 'list.csv': NUMBERED }),
  list('features.csv', 'features.csv', [GIVEN_CSV]),
  list('features.jsonl', 'features.jsonl', [given.map((row) => JSON.stringify(row)).join('\n')]),
  {
    name: 'features.safetensors',
    prepare(scratch) {
      const file = join(scratch, 'x.safetensors')
      return {
        seeds: [GIVEN_TENSORS],
        read(input) {
          put(file, input)
          return openDataset(file, { cache: join(scratch, 'cache') })
        },
      }
    },
  },
  ...(['features.npy', 'features.labels.csv', 'features.parquet'] as const).map(givenFeatures),
  textReader('data set card', [CARD], readCard, YAML),
  {
    name: 'MATLAB file',
    shell: matVariable,
    prepare(scratch) {
      const files: unknown[] = Object.values(JSON.parse(read('official/fixtures/matlab.json').toString()))
      const seeds = files.flatMap((each) =>
        typeof each === 'string' ? [new Uint8Array(Buffer.from(each, 'base64'))] : [],
      )
      const file = join(scratch, 'x.mat')
      return {
        seeds: seeds.filter((seed) => seed.length > 128),
        read(input) {
          writeFileSync(file, input)
          return readMatFile(file)
        },
      }
    },
  },
  ...annotations,
  {
    name: 'parquet',
    prepare(scratch) {
      const file = join(scratch, 'x.parquet')
      const cache = join(scratch, 'cache')
      return {
        seeds: PARQUET,
        async read(input) {
          writeFileSync(file, input)
          if (existsSync(cache)) rmSync(cache, { recursive: true })
          const about = { name: 'set', source: 'SET', root: scratch, card: await readCard(CARD), config: '' }
          return readParquet([{ file, split: 'train' }], about, { cache })
        },
      }
    },
  },
  {
    name: 'index of unpacked pictures',
    text: true,
    prepare(scratch) {
      const index = [1, 2, 3].map((row) => [row, `${row}.png`, 'f00d', row % 2])
      for (const [, name] of index) put(join(scratch, String(name)), '')
      return {
        seeds: [encode(JSON.stringify(index))],
        read(input) {
          put(join(scratch, INDEX), input)
          return readIndex(scratch)
        },
      }
    },
  },
]
