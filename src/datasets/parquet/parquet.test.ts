import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CoopError, FileError } from '../../base/errors.ts'
import type { Progress } from '../../base/progress.ts'
import type { Item } from '../../data/items.ts'
import { bytesSource } from '../../formats/safetensors.ts'
import { contentHash } from '../../node/content-hash.ts'
import { readCard } from './card.ts'
import { imageColumnsOf } from './columns.ts'
import { openParquet, type ParquetFile, rowGroups } from './file.ts'
import { type ParquetOptions, type ParquetSource, readParquet } from './index.ts'

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
/** What pyarrow reads from the files: label and SHA-256 of the image of each row. */
const figures = z
  .record(z.string(), z.array(z.tuple([z.union([z.string(), z.number()]), z.string()])))
  .parse(JSON.parse(await readFile(fixture('parquet.json'), 'utf8')))
/** They were written by Hugging Face `datasets`: snappy, an image struct and a ClassLabel, row groups of five. */
const [TRAIN, VAL, TEST] = ['train', 'validation', 'test'].map((split) => `${split}-00000-of-00001.parquet`) as [
  string,
  string,
  string,
]
const CLASSES = ['sea_horse', 'cat', 'yellow bird']

let root = ''
let warnings: string[] = []
let events: Progress[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-parquet-'))
  warnings = []
  events = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

const hooks = { onWarning: (text: string) => warnings.push(text), onProgress: (event: Progress) => events.push(event) }
const cache = () => join(root, 'cache')

async function read(sources: readonly ParquetSource[], options: Partial<ParquetOptions> = {}, card = '') {
  const about = { name: 'set', source: 'SET', root, card: await readCard(card), config: '' }
  return readParquet(sources, about, { cache: cache(), ...options }, hooks)
}

const all = [
  { file: fixture(TRAIN), split: 'train' },
  { file: fixture(VAL), split: 'val' },
  { file: fixture(TEST), split: 'test' },
] as const

const contents = (items: readonly Item[]) =>
  Promise.all(items.map(async ({ path, label }) => [label, await contentHash(path)]))

async function errorOf(work: Promise<unknown>): Promise<CoopError> {
  const error = await work.catch((thrown: unknown) => thrown)
  if (!(error instanceof CoopError)) throw new Error(`expected a CoopError, got ${error}`)
  expect(error.remedy).toBeTruthy()
  return error
}

describe('readParquet', () => {
  it('reads what Python reads, row by row', async () => {
    const { classNames, train, val, test } = await read(all)
    expect(classNames).toEqual(CLASSES)
    expect(await contents(train)).toEqual(figures[TRAIN])
    expect(await contents(val)).toEqual(figures[VAL])
    expect(await contents(test)).toEqual(figures[TEST])
    expect(warnings).toEqual([])
    expect(events.map(({ done, total }) => [done, total])).toEqual([5, 10, 12, 16, 21, 22].map((done) => [done, 22]))
  })

  it.each(['none', 'gzip', 'zstd', 'brotli', 'lz4'])(
    'reads plain bytes and text labels, compression %s',
    async (codec) => {
      const { classNames, test } = await read([{ file: fixture(`${codec}.parquet`), split: 'test' }])
      expect(classNames).toEqual(['cat', 'sea_horse', 'yellow bird'])
      const found = (await contents(test)).map(([label, hash]) => [classNames[Number(label)], hash])
      expect(found).toEqual(figures[`${codec}.parquet`])
    },
  )

  it('unpacks once, names files by rows, and mends what was removed', async () => {
    const { train } = await read(all)
    const folder = join(train[0]?.path ?? '', '..')
    expect(await readdir(folder)).toContain('0000001.png')
    expect(folder).toMatch(/train-00000-of-00001\.parquet-[0-9a-f]{16}$/)
    const old = new Date(1e12)
    for (const { path } of train) await utimes(path, old, old)
    events = []
    expect((await read(all)).train).toEqual(train)
    expect(events).toEqual([])
    await rm(train[3]?.path ?? '')
    const [left, anothers] = [
      '.9.png.01234567-89ab-cdef-0123-456789abcdef.tmp',
      '.9.png.01234567-89ab-cdef-0123-456789abcdee.tmp',
    ]
    for (const name of [left, anothers])
      await writeFile(join(folder, name), 'of a process that was killed, or is at work')
    await utimes(join(folder, left), old, old)
    expect(await contents((await read(all)).train)).toEqual(figures[TRAIN])
    expect(await readdir(folder)).not.toContain(left)
    expect(await readdir(folder)).toContain(anothers)
    await writeFile(join(folder, 'rows.json'), '[[1,"../../x.png"')
    expect(await contents((await read(all)).train)).toEqual(figures[TRAIN])
  })

  it('reads more rows than a call has arguments', async () => {
    const { test } = await read([all[2]])
    const index = join(test[0]?.path ?? '', '..', 'rows.json')
    const rows: [number, ...unknown[]][] = JSON.parse(await readFile(index, 'utf8'))
    const many = Array.from({ length: 150_000 }, (_, i) => [i + 1, ...(rows[i % rows.length] ?? []).slice(1)])
    await writeFile(index, JSON.stringify(many))
    expect((await read([all[2]])).test).toHaveLength(150_000)
  })

  it('splits one file by seed', async () => {
    const sources = [{ file: fixture(TRAIN), split: undefined }]
    const { train, val, test } = await read(sources)
    expect(train.length + val.length + test.length).toBe(12)
    expect(await read(sources, { seed: 1 })).toMatchObject({ train, test })
    expect((await read(sources, { seed: 2 })).train).not.toEqual(train)
  })

  it('takes names of labels from the card where the file has none, else the numbers', async () => {
    const file = await openParquet(fixture(TRAIN))
    expect(imageColumnsOf({ ...file, notes: new Map() })).toEqual({ image: 'image', label: 'label', names: undefined })
    const bare = join(root, 'bare.parquet')
    const bytes = await readFile(fixture(TRAIN))
    // the note's key spelt otherwise: nobody knows it any more
    await writeFile(bare, Buffer.from(bytes.toString('latin1').replaceAll('huggingface', 'huggingfacf'), 'latin1'))
    const source = [{ file: bare, split: undefined }]
    const names =
      "---\ndataset_info:\n  features:\n  - name: label\n    dtype: {class_label: {names: {'0': x, '1': y, '2': z}}}\n---"
    expect((await read(source, {}, names)).classNames).toEqual(['x', 'y', 'z'])
    expect(warnings).toEqual([])
    expect((await read(source)).classNames).toEqual(['0', '1', '2'])
    expect(warnings.join()).toMatch(/3 of 3 labels are numbers .*README\.md/)
    const few = names.replace(", '2': z", '')
    expect((await errorOf(read(source, {}, few))).message).toMatch(/bare\.parquet, row 3: label 2 is outside 0 to 1/)
  })

  it('refuses files that name labels differently', async () => {
    const other = join(root, 'other.parquet')
    const bytes = await readFile(fixture(TEST))
    await writeFile(other, Buffer.from(bytes.toString('latin1').replaceAll('"cat"', '"dog"'), 'latin1'))
    const error = await errorOf(read([all[0], { file: other, split: 'test' }]))
    expect(error.message).toMatch(/name the labels differently: label 1 is "cat" in the first and "dog" in the second/)
  })
})

describe('columns', () => {
  it('are those asked for, or said with their kinds', async () => {
    const source = [{ file: fixture('none.parquet'), split: undefined }]
    expect((await errorOf(read(source, { labelColumn: 'kind' }))).message).toMatch(
      /none\.parquet: no column "kind" of number or text; the columns are "extra" \(other\), "img" \(bytes\), "class" \(text\)/,
    )
    expect((await errorOf(read(source, { imageColumn: 'class' }))).remedy).toMatch(/--image-column/)
    await expect(read(source, { imageColumn: 'img', labelColumn: 'class' })).resolves.toBeTruthy()
  })

  it('are declared, or the only ones of their kind', () => {
    const file = (columns: ParquetFile['columns'], features: object = {}): ParquetFile => ({
      path: 'x.parquet',
      size: 0,
      columns,
      metadata: { version: 1, schema: [], num_rows: 0n, row_groups: [], metadata_length: 0 },
      notes: new Map([['huggingface', JSON.stringify({ info: { features } })]]),
      source: bytesSource('x.parquet', new Uint8Array()),
    })
    const columns = [
      { name: 'photo', kind: 'image' },
      { name: 'id', kind: 'number' },
      { name: 'kind', kind: 'number' },
    ] as const
    expect(() => imageColumnsOf(file(columns))).toThrow(
      /no column for the labels; the columns are "photo" \(image\), "id"/,
    )
    const features = { kind: { names: ['a', 'b'], _type: 'ClassLabel' }, photo: { _type: 'Image' } }
    expect(imageColumnsOf(file(columns, features))).toEqual({ image: 'photo', label: 'kind', names: ['a', 'b'] })
    expect(imageColumnsOf(file(columns.slice(0, 2)))).toMatchObject({ image: 'photo', label: 'id' })
  })
})

describe('a file that is not what it says', () => {
  const damaged = async (change: (bytes: Buffer) => Buffer) => {
    const file = join(root, 'damaged.parquet')
    await writeFile(file, change(await readFile(fixture(TRAIN))))
    return errorOf(read([{ file, split: undefined }]))
  }

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['empty', () => Buffer.alloc(0)],
    ['a few bytes', (bytes) => bytes.subarray(0, 7)],
    ['cut short', (bytes) => bytes.subarray(0, 5000)],
    ['its end alone', (bytes) => bytes.subarray(-2500)],
    ['a text', () => Buffer.from('path,label\n1.jpg,cat\n')],
    [
      'a footer longer than the file',
      (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.from('ffffff7f50415231', 'hex')]),
    ],
    ['noise in the pages', (bytes) => Buffer.concat([Buffer.alloc(4000, 0xa5), bytes.subarray(4000)])],
  ])('is refused by name: %s', async (_, change) => {
    const error = await damaged(change)
    expect(error).toBeInstanceOf(FileError)
    expect(error.message).toMatch(/damaged\.parquet cannot be read as parquet: ./)
  })

  it('never crashes, whatever byte is changed', async () => {
    const bytes = await readFile(fixture(VAL))
    for (let i = 0; i < 60; i++) {
      const changed = Buffer.from(bytes)
      const at = Math.floor((i * bytes.length) / 60)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      const file = join(root, `changed${i}.parquet`)
      await writeFile(file, changed)
      const result = await read([{ file, split: undefined }]).catch((error: unknown) => error)
      if (result instanceof Error) expect(result).toBeInstanceOf(CoopError)
    }
  })

  it('keeps a decoder busy for ever, and is refused', async () => {
    const file = join(root, 'endless.parquet')
    const bytes = await readFile(fixture('zstd.parquet'))
    bytes[1104] = 0xff // the number of values of a page, now below zero
    await writeFile(file, bytes)
    const error = await errorOf(read([{ file, split: undefined }]))
    expect(error).toBeInstanceOf(FileError)
    expect(error.message).toMatch(/endless\.parquet cannot be read as parquet: decoding it comes to no end/)
    await expect(read([{ file: fixture('zstd.parquet'), split: 'test' }])).resolves.toBeTruthy()
  })

  it('unpacks to a thousand times its size and more: refused before anything is written', async () => {
    const error = await errorOf(read([{ file: fixture('bomb.parquet'), split: undefined }]))
    expect(error.message).toMatch(/bomb\.parquet is refused: it unpacks to 28\d+ bytes, 2\d+ times its size/)
    expect(await readdir(root)).toEqual([])
  })

  it('unpacks to more than it says', async () => {
    const file = await openParquet(fixture('zstd.parquet'))
    const groups = file.metadata.row_groups.map((group) => ({
      ...group,
      columns: group.columns.map((column) => ({
        ...column,
        ...(column.meta_data && { meta_data: { ...column.meta_data, total_uncompressed_size: 10n } }),
      })),
    }))
    const lying = { ...file, metadata: { ...file.metadata, row_groups: groups } }
    const reading = async () => {
      for await (const _ of rowGroups(lying, ['img', 'class'])) expect.fail('it was read')
    }
    await expect(reading()).rejects.toThrow(/it unpacks to more than it states/)
  })

  it('has row groups that no memory holds', async () => {
    const file = await openParquet(fixture('zstd.parquet'))
    const [group] = file.metadata.row_groups
    if (group === undefined) throw new Error('the fixture has a row group')
    const lying = { ...file, metadata: { ...file.metadata, row_groups: [{ ...group, num_rows: 2n ** 40n }] } }
    await expect(rowGroups(lying, ['img']).next()).rejects.toThrow(/a row group has 1099511627776 rows/)
  })

  it('is read from where it was copied to, under any name', async () => {
    await mkdir(join(root, 'päth'))
    const file = join(root, 'päth', 'odd name; x.parquet')
    await copyFile(fixture(TRAIN), file)
    const { train } = await read([{ file, split: 'train' }, all[2]])
    expect(train[0]?.path).toMatch(/unpacked\/odd_name__x\.parquet-[0-9a-f]+\/0000001\.png$/)
  })
})
