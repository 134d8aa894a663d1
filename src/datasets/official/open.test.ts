import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { drawSubset } from '../../data/fewshot.ts'
import { type Half, halfOf } from '../../data/halves.ts'
import type { Item } from '../../data/items.ts'
import { checkImages } from '../check-images.ts'
import { makeSplitFile, openOfficialDataset, placeOf } from './open.ts'
import { officialSubset } from './subset.ts'
import { findOfficialDataset, OFFICIAL_DATASETS } from './table.ts'

type Row = [name: string, label: number, className: string]

/** A small data set in its official layout, and what the official code made of it (its lists of files sorted). */
interface Miniature {
  files: string[]
  texts?: Record<string, string>
  /** MATLAB files, written by scipy. */
  binary?: Record<string, string>
  split: { train: Row[]; val: Row[]; test: Row[]; classNames: string[] }
  /** The split file that it wrote. */
  saved?: string
  draws?: { seed: number; shots: number; half: Half; train: string[]; val: string[]; classNames?: string[] }[]
}

const miniatures: Record<string, Miniature> = JSON.parse(
  readFileSync(new URL('fixtures/miniatures.json', import.meta.url), 'utf8'),
)

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-datasets-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const put = async (path: string, content: string | Uint8Array) => {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
}

async function lay({ files, texts = {}, binary = {} }: Miniature): Promise<void> {
  await Promise.all(files.map((file) => put(file, '')))
  for (const [file, text] of Object.entries(texts)) await put(file, text)
  for (const [file, base64] of Object.entries(binary)) await put(file, Buffer.from(base64, 'base64'))
}

const names = (items: readonly Item[]) => items.map(({ name }) => name)

describe.each(Object.entries(miniatures))('%s', (id, mini) => {
  const row = findOfficialDataset(id)
  if (!row) throw new Error(`no row for ${id}`)

  it('is read from its raw annotation as the official code does', async () => {
    await lay(mini)
    const warnings: string[] = []
    const dataset = await openOfficialDataset(id, root, { onWarning: (text) => warnings.push(text) })
    const rows = (items: readonly Item[]) => items.map(({ name, label }) => [name, label, dataset.classNames[label]])
    expect(dataset.classNames).toEqual(mini.split.classNames)
    // the official code lists the test images of the shifted data sets as training images too
    expect(rows(dataset.train)).toEqual(row.testOnly ? [] : mini.split.train)
    expect(rows(dataset.val)).toEqual(mini.split.val)
    expect(rows(dataset.test)).toEqual(mini.split.test)
    expect(dataset.name).toBe(row.name)
    expect(dataset.listedIn).toBeUndefined()
    expect(warnings.join()).toMatch(row.splitFile ? /split_zhou_.* is missing: .* was split with seed 1/ : /^$/)
    await checkImages(dataset)
  })

  it.runIf(mini.draws)('gives the subsets that the official code draws, and their halves', async () => {
    await lay(mini)
    if (mini.saved !== undefined) await put(`${row.folder}/${row.splitFile}`, mini.saved)
    const dataset = await openOfficialDataset(id, root)
    for (const { seed, shots, half, train, val, classNames } of mini.draws ?? []) {
      const drawn = halfOf({ ...dataset, ...drawSubset(dataset, shots, seed) }, half)
      expect(names(drawn.train)).toEqual(train)
      expect(names(drawn.val)).toEqual(val)
      if (classNames) expect(drawn.classNames).toEqual(classNames)
      if (half !== 'all') continue
      expect(await officialSubset(id, { root, shots, seed })).toEqual({ train, val: row.valIsTest ? [] : val })
    }
  })

  it.runIf(mini.saved)('is read from its split file, which is written as the official code does', async () => {
    await lay(mini)
    const made = await openOfficialDataset(id, root)
    const file = await makeSplitFile(id, { root, seed: 1 })
    expect(await readFile(file, 'utf8')).toBe(mini.saved)
    const { listedIn, ...read } = await openOfficialDataset(id, root)
    expect(listedIn).toBe(file)
    expect(read).toEqual(made)
    await expect(makeSplitFile(id, { root, seed: 1 })).rejects.toThrow(/already exists/)
  })

  it.runIf(mini.saved)('has its subsets drawn with the split file alone, and a warning', async () => {
    await put(`${row.folder}/${row.splitFile}`, mini.saved ?? '')
    const [draw] = mini.draws ?? []
    if (!draw) throw new Error('no draw')
    const warnings: string[] = []
    const subset = await officialSubset(id, { root, ...draw }, { onWarning: (text) => warnings.push(text) })
    expect(subset).toEqual({ train: draw.train, val: draw.val })
    expect(warnings.join()).toMatch(/images drawn are not on disk/)
  })
})

describe('OFFICIAL_DATASETS', () => {
  it('has all fifteen, each with a miniature, found by every one of its names', () => {
    expect(OFFICIAL_DATASETS.map(({ id }) => id).sort()).toEqual(Object.keys(miniatures).sort())
    for (const row of OFFICIAL_DATASETS) {
      for (const word of [row.id, row.name, row.officialClass, row.folder, ...(row.aliases ?? [])]) {
        expect(findOfficialDataset(word)?.id, word).toBe(row.id)
        expect(findOfficialDataset(word.toUpperCase().replaceAll('_', '-'))?.id, word).toBe(row.id)
      }
    }
    expect(findOfficialDataset('photos')).toBeUndefined()
  })

  it('has counts that add up to the published sizes', () => {
    const totals = OFFICIAL_DATASETS.map(({ id, counts: { train = 0, val = 0, test } }) => [id, train + val + test])
    expect(Object.fromEntries(totals)).toMatchObject({
      caltech101: 8242,
      oxford_pets: 7349,
      stanford_cars: 16185,
      oxford_flowers: 8189,
      food101: 101000,
      fgvc_aircraft: 10000,
      sun397: 39700,
      dtd: 5640,
      eurosat: 27000,
      ucf101: 13320,
      imagenet: 1331167,
    })
  })
})

describe('openOfficialDataset', () => {
  const mini = (id: string): Miniature =>
    miniatures[id] ?? { files: [], split: { train: [], val: [], test: [], classNames: [] } }

  it('follows links to folders, as the official instructions make them', async () => {
    await lay(mini('imagenet'))
    const elsewhere = join(root, 'elsewhere')
    await mkdir(elsewhere)
    await symlink(join(root, 'imagenet'), join(elsewhere, 'imagenet'))
    await put('links/classnames.txt', mini('imagenet').texts?.['imagenet/classnames.txt'] ?? '')
    expect((await openOfficialDataset('ImageNet', elsewhere)).train).toHaveLength(mini('imagenet').split.train.length)
  })

  it('takes the class names of ImageNet for its versions where they have none of their own', async () => {
    const { files, texts } = mini('imagenet_r')
    await lay({ ...mini('imagenet_r'), files, texts: {} })
    await expect(openOfficialDataset('imagenet-r', root)).rejects.toThrow(/classnames.txt is missing/)
    await put('imagenet/classnames.txt', texts?.['imagenet-rendition/classnames.txt'] ?? '')
    expect((await openOfficialDataset('imagenet-r', root)).classNames).toEqual(['tench', 'sunglasses'])
  })

  it('says what is missing, of what, and where it should be', async () => {
    await expect(openOfficialDataset('cifar', root)).rejects.toThrow(/no data set "cifar"/)
    await expect(openOfficialDataset('dtd', root)).rejects.toThrow(`no folder ${join(root, 'dtd')}`)
    await mkdir(join(root, 'oxford_pets'))
    await expect(openOfficialDataset('pets', root)).rejects.toThrow(
      /OxfordPets has no .*split_zhou_OxfordPets.json, and it cannot be made: .*trainval.txt/,
    )
  })

  it.each<[id: string, file: string, text: string, message: RegExp]>([
    ['oxford_pets', 'annotations/test.txt', 'cat_1 1 1 1\ncat_2 one 1 1', /test.txt:2: a class is a whole number/],
    ['oxford_pets', 'annotations/test.txt', 'dog_1 1 1 1', /class 1 is both "abyssinian" and "dog"/],
    ['oxford_pets', 'annotations/test.txt', '../x_1 1 1 1', /test.txt:1: the path leads out/],
    [
      'sun397',
      'Testing_01.txt',
      '/a/abbey/1.jpg\n/z/zoo/1.jpg',
      /Testing_01.txt:2: ClassName.txt has no class "z\/zoo"/,
    ],
    ['ucf101', 'ucfTrainTestlist/trainlist01.txt', 'Archery', /trainlist01.txt:1: a line is like/],
    ['ucf101', 'ucfTrainTestlist/testlist01.txt', 'Golf/v.avi', /testlist01.txt:1: classInd.txt has no class "Golf"/],
    ['fgvc_aircraft', 'images_variant_val.txt', '123 Spitfire', /val.txt:1: variants.txt has no class "Spitfire"/],
    [
      'imagenet',
      'classnames.txt',
      'n01440764 tench\nn01443537',
      /classnames.txt:2: the id is not followed by a class name/,
    ],
    ['imagenet_a', 'classnames.txt', 'n01440764 tench', /classnames.txt has no class n01443537/],
    [
      'stanford_cars',
      'devkit/cars_meta.mat',
      'not a MATLAB level 5 file',
      /cars_meta.mat cannot be read as a MATLAB level 5 file/,
    ],
    ['oxford_flowers', 'cat_to_name.json', '{"1": "rose"}', /cat_to_name.json: class 2 has no name/],
  ])('%s with a damaged %s: %s', async (id, file, text, message) => {
    await lay(mini(id))
    await put(`${findOfficialDataset(id)?.folder}/${file}`, text)
    await expect(openOfficialDataset(id, root)).rejects.toThrow(message)
  })

  it('refuses a class that is too small to be split, as the official code does', async () => {
    await Promise.all(['a/1.jpg', 'a/2.jpg', 'b/1.jpg'].map((file) => put(`dtd/images/${file}`, '')))
    await expect(openOfficialDataset('dtd', root)).rejects.toThrow(/the class "a" has 2 images, too few/)
  })

  it('names missing images with their lines in the split file', async () => {
    await lay(mini('eurosat'))
    const file = await makeSplitFile('eurosat', { root, seed: 1 })
    const dataset = await openOfficialDataset('eurosat', root)
    const gone = dataset.test.slice(1, 8)
    await Promise.all(gone.map(({ path }) => rm(path)))
    const error: unknown = await checkImages(dataset).catch((thrown: unknown) => thrown)
    const lines = (await readFile(file, 'utf8')).split('\n')
    const line = lines.findIndex((text) => text.includes(`"${gone[0]?.name}"`)) + 1
    expect(String(error)).toContain(`EuroSAT: 7 of ${mini('eurosat').files.length} images were not found`)
    expect(String(error)).toContain(`${file}:${line}: ${gone[0]?.path}`)
    expect(String(error)).toContain('and 2 more')
    await checkImages(dataset, dataset.train)
  })
})

it('placeOf puts images below the folder', () => {
  const cars = findOfficialDataset('cars')
  expect(cars && placeOf(cars, '/data').images).toBe('/data/stanford_cars')
})
