import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CoopError, FileError } from '../base/errors.ts'
import type { Item } from '../data/items.ts'
import { holdOutVal } from '../data/split.ts'
import { readImageFolder } from './folder.ts'
import { openDataset } from './open.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-folder-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** Empty files by their paths; a path that ends in '/' is an empty folder. */
async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    const whole = join(root, path)
    await mkdir(path.endsWith('/') ? whole : dirname(whole), { recursive: true })
    if (!path.endsWith('/')) await writeFile(whole, '')
  }
}

const images = (folder: string, n: number) => Array.from({ length: n }, (_, i) => `${folder}/${i}.jpg`)
const names = (items: readonly Item[]) => items.map(({ path, label }) => `${label} ${path.slice(root.length + 1)}`)

async function errorOf(folder = root): Promise<CoopError> {
  const error = await readImageFolder(folder).catch((thrown: unknown) => thrown)
  if (!(error instanceof CoopError)) throw new Error(`expected a CoopError, got ${error}`)
  expect(error.remedy).toBeTruthy()
  return error
}

describe('readImageFolder with train/, val/, test/', () => {
  it('takes the classes from train/, names and files in byte order', async () => {
    await put('train/dog/b.jpg', 'train/dog/C.jpg', 'train/Cat/10.png', 'train/Cat/9.png', 'train/été/1.jpg')
    await put('val/dog/v.jpg', 'test/été/t.jpg', 'test/Cat/t.jpg', 'notes/readme.txt')
    const dataset = await readImageFolder(root)
    expect(dataset.name).toBe(basename(root))
    expect(dataset.classNames).toEqual(['Cat', 'dog', 'été'])
    const train = ['0 train/Cat/10.png', '0 train/Cat/9.png', '1 train/dog/C.jpg', '1 train/dog/b.jpg']
    expect(names(dataset.train)).toEqual([...train, '2 train/été/1.jpg'])
    expect(names(dataset.val)).toEqual(['1 val/dog/v.jpg'])
    expect(names(dataset.test)).toEqual(['0 test/Cat/t.jpg', '2 test/été/t.jpg'])
  })

  it.each(['val', 'valid', 'validation'])('knows %s/', async (val) => {
    await put('train/a/1.jpg', 'train/b/1.jpg', `${val}/a/1.jpg`, 'test/b/1.jpg')
    expect((await readImageFolder(root)).val).toHaveLength(1)
  })

  it('knows the parts in any case, and leaves nothing beside them out without a word', async () => {
    await put('Train/a/1.jpg', 'Train/b/1.jpg', 'TEST/b/1.jpg', 'Validation/a/1.jpg', 'extra/a/1.jpg', 'extra/a/2.jpg')
    const warnings: string[] = []
    const { classNames, train, val, test } = await readImageFolder(
      root,
      {},
      { onWarning: (text) => warnings.push(text) },
    )
    expect([classNames, train.length, val.length, test.length]).toEqual([['a', 'b'], 2, 1, 1])
    expect(warnings).toEqual([`${root}: 2 classes, 4 pictures; left out: 2 in extra/ (not train, val or test)`])
    await put('valid/a/1.jpg')
    expect((await errorOf()).message).toMatch(/has Validation\/ and valid\/, both for val/)
  })

  it('says what is missing or too much', async () => {
    await put('train/a/1.jpg', 'train/b/1.jpg', 'bus/1.jpg')
    expect((await errorOf()).message).toMatch(/train\/ but no test\/, and 1 other folder beside it/)
    await put('test/a/1.jpg', 'test/zebra/1.jpg')
    expect((await errorOf()).message).toMatch(/"zebra".*not in train/)
  })

  it('keeps what is in _other/ apart from the classes, of which it is none', async () => {
    await put(
      'train/a/1.jpg',
      'train/b/1.jpg',
      'train/_Other/1.jpg',
      'test/a/2.jpg',
      'test/_other/2.jpg',
      '_other/3.jpg',
    )
    const warnings: string[] = []
    const { classNames, train, test, others } = await readImageFolder(root, {}, { onWarning: (t) => warnings.push(t) })
    expect(classNames).toEqual(['a', 'b'])
    expect([names(train), names(test)]).toEqual([['0 train/a/1.jpg', '1 train/b/1.jpg'], ['0 test/a/2.jpg']])
    expect(names(others?.train ?? [])).toEqual(['0 _other/3.jpg', '0 train/_Other/1.jpg'])
    expect(names(others?.test ?? [])).toEqual(['0 test/_other/2.jpg'])
    expect(others?.train.every(({ turned }) => turned === true)).toBe(true)
    expect(warnings).toEqual([])
    await rm(join(root, 'test'), { recursive: true })
    expect((await readImageFolder(root)).others).toMatchObject({ train: [{}, {}], test: [] })
    await put('_other/4.jpg', '_other/5.jpg', '_other/6.jpg')
    const half = await readImageFolder(root, { testShare: 0.4 })
    expect([half.others?.train.length, half.others?.test.length]).toEqual([3, 2])
  })

  it('says of _other/ alone, or beside a single class, what is missing', async () => {
    await put('_other/1.jpg')
    expect((await errorOf()).message).toMatch(/has no class folders but only _other\//)
    await put('a/1.jpg')
    expect((await errorOf()).message).toMatch(/has only one class, "a"; the pictures in _other\/ are of no class/)
    await put('b/1.jpg')
    await rm(join(root, '_other/1.jpg'))
    const warnings: string[] = []
    const { others } = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
    expect(others).toBeUndefined()
    expect(warnings).toEqual([expect.stringContaining('1 class folder without pictures (_other)')])
  })

  it('learns from train/ alone whole, unless a share is asked for', async () => {
    await put(...images('train/a', 4), ...images('train/b', 4))
    const { train, val, test, testShare } = await readImageFolder(root)
    expect([train.length, val.length, test.length, testShare]).toEqual([8, 0, 0, 0])
    expect((await readImageFolder(root, { testShare: 0.5 })).test).toHaveLength(4)
  })

  it('tests on val/ where there is no test/, and says so', async () => {
    await put('train/a/1.jpg', 'train/b/1.jpg', 'val/a/2.jpg')
    const warnings: string[] = []
    const { val, test, testShare } = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
    expect([val.length, names(test), testShare]).toEqual([0, ['0 val/a/2.jpg'], undefined])
    expect(warnings).toEqual([expect.stringMatching(/no test\/: the validation images are used/)])
  })

  it('wants class folders in train/', async () => {
    await put('train/1.jpg', 'train/2.jpg', 'test/1.jpg')
    expect((await errorOf()).message).toMatch(/train holds 2 images but no class folders/)
  })

  it('takes a class called train for one', async () => {
    await put(...images('train', 4), ...images('test', 4), ...images('bus', 4))
    expect((await readImageFolder(root)).classNames).toEqual(['bus', 'test', 'train'])
  })
})

describe('readImageFolder with plain class folders', () => {
  it('splits every class by the share; nothing lost, nothing twice; val comes out of train alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(undefined, 0, 0.05, 0.3, 0.5, 0.95),
        async (counts, seed, testShare) => {
          await rm(root, { recursive: true })
          await put(...counts.flatMap((n, i) => images(`class ${i}`, n)))
          const dataset = await readImageFolder(root, { seed, testShare })
          const held = holdOutVal(dataset)
          expect([dataset.val, held.test]).toEqual([[], dataset.test])
          counts.forEach((n, i) => {
            const of = (items: readonly Item[]) => items.filter(({ label }) => label === i)
            const paths = (...parts: readonly Item[][]) => parts.flatMap((part) => part.map(({ path }) => path)).sort()
            const all = images(join(root, `class ${i}`), n).sort()
            expect(paths(of(dataset.train), of(dataset.test))).toEqual(all)
            expect(paths(of(held.train), of(held.val), of(held.test))).toEqual(all)
            const share = testShare ?? 0.3
            const tested = share === 0 ? 0 : Math.min(n - 1, Math.max(1, Math.round(share * n)))
            expect(of(dataset.test).length).toBe(tested)
            expect(of(held.val).length).toBe(Math.floor((2 * (n - tested)) / 7))
          })
        },
      ),
      { numRuns: 15 },
    )
  })

  it('tests on everything by a share of 1, and refuses what is no share', async () => {
    await put(...images('a', 3), ...images('b', 1))
    const { train, test } = await readImageFolder(root, { testShare: 1 })
    expect([train.length, test.length]).toEqual([0, 4])
    for (const testShare of [-0.1, 1.1, Number.NaN]) {
      await expect(readImageFolder(root, { testShare })).rejects.toThrow(/must be from 0 to 1/)
    }
  })

  it('repeats by seed, and leaves other classes alone when one is added', async () => {
    await put(...images('a', 20), ...images('c', 20))
    const first = await readImageFolder(root, { seed: 3 })
    expect(await readImageFolder(root, { seed: 3 })).toEqual(first)
    expect((await readImageFolder(root, { seed: 4 })).train).not.toEqual(first.train)
    await put(...images('b', 20))
    const later = await readImageFolder(root, { seed: 3 })
    const trainOf = (items: readonly Item[], name: string) =>
      items.map(({ path }) => path).filter((path) => path.startsWith(join(root, name)))
    for (const name of ['a', 'c']) expect(trainOf(later.train, name)).toEqual(trainOf(first.train, name))
    expect(trainOf(later.train, 'a').map((path) => basename(path))).not.toEqual(
      trainOf(later.train, 'b').map((path) => basename(path)),
    )
  })

  it('counts what it leaves out, in one line; junk of operating systems is not worth one', async () => {
    await put(
      'a/1.JPG',
      'a/2.WebP',
      'a/Thumbs.db',
      'a/.DS_Store',
      'a/._1.JPG',
      '.git/x.jpg',
      '__MACOSX/x.jpg',
      'b/1.ppm',
    )
    await put('b/2.avif', 'b/3.HEIC', 'b/4.bmp', 'notes.md')
    const found = async () => {
      const warnings: string[] = []
      const { train, val, test } = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
      return { warnings, pictures: [...train, ...val, ...test].map(({ path }) => path.slice(root.length + 1)).sort() }
    }
    const pictures = ['a/1.JPG', 'a/2.WebP', 'b/1.ppm', 'b/2.avif', 'b/3.HEIC', 'b/4.bmp']
    expect(await found()).toEqual({ warnings: [], pictures })
    await put('a/notes.txt', 'a/x.dng', 'b/y.DNG', 'a/.hidden.jpg', 'a/sub/x.jpg', 'a/sub/deep/y.png', 'stray.jpg')
    await put('a/sub/.thumbnails/x.jpg')
    const line =
      '2 classes, 6 pictures; left out: 1 beside the class folders, 1 .txt, 2 .dng (not read: convert to JPEG or PNG), 1 hidden, 2 in sub-folders'
    expect(await found()).toEqual({ warnings: [`${root}: ${line}`], pictures })
  })

  it('follows links to folders and files, but none that is broken or leads back', async () => {
    await put(...images('kept/cat', 3), ...images('photos/dog', 2), 'elsewhere.jpg')
    const photos = join(root, 'photos')
    await symlink(join(root, 'kept/cat'), join(photos, 'cat'))
    await symlink(join(root, 'elsewhere.jpg'), join(photos, 'dog/linked.jpg'))
    await symlink(join(root, 'nowhere.jpg'), join(photos, 'dog/broken.jpg'))
    await symlink(photos, join(photos, 'dog/up'))
    await symlink('..', join(photos, 'around'))
    const warnings: string[] = []
    const { classNames, train, test } = await readImageFolder(
      photos,
      { seed: 1 },
      { onWarning: (text) => warnings.push(text) },
    )
    expect(classNames).toEqual(['cat', 'dog'])
    expect([...train, ...test].some(({ path }) => path.endsWith('broken.jpg'))).toBe(false)
    expect(warnings.join()).toMatch(/2 classes, 6 pictures; left out: 3 broken or circular links$/)
  })

  it('has every class folder where all are links, whatever parquet lies beside them', async () => {
    await put(...images('kept/cat', 3), ...images('kept/dog', 3), 'photos/metadata.parquet')
    for (const name of ['cat', 'dog']) await symlink(join(root, 'kept', name), join(root, 'photos', name))
    const { classNames } = await openDataset(join(root, 'photos'), { cache: join(root, 'cache') })
    expect(classNames).toEqual(['cat', 'dog'])
  })
})

describe('class folders that are numbers or codes', () => {
  const namesOf = async () => {
    const warnings: string[] = []
    const { classNames } = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
    return { classNames, warnings: warnings.join() }
  }

  it.each([
    ['n02012849', 'n01440764'],
    ['00', '01'],
  ])('%s, %s: says that they stand as they are, until classes.txt names them', async (one, two) => {
    await put(`${one}/1.png`, `${two}/1.png`)
    const codes = [one, two].sort()
    const { classNames, warnings } = await namesOf()
    expect(classNames).toEqual(codes)
    expect(warnings).toMatch(/2 of 2 class folders are numbers or WordNet ids .* used as they are in the prompts/)
    await writeFile(join(root, 'classes.txt'), `${codes[1]} crane\nn99999999 other\n${codes[0]}\ttench, Tinca tinca\n`)
    expect(await namesOf()).toEqual({ classNames: ['tench, Tinca tinca', 'crane'], warnings: '' })
    await writeFile(join(root, 'classes.txt'), 'tench\ncrane\n')
    expect(await namesOf()).toEqual({ classNames: ['tench', 'crane'], warnings: '' })
    await writeFile(join(root, 'classes.txt'), 'tench\n')
    expect((await errorOf()).message).toMatch(/classes.txt/)
  })

  it('says so of a single one among words', async () => {
    await put('cat/1.png', 'n02012849/1.png')
    expect((await namesOf()).warnings).toMatch(/1 of 2 class folders are numbers or WordNet ids \(n02012849\)/)
  })

  it.each([
    ['n02085620-Chihuahua', 'n02097474-Tibetan_terrier', 'n02085620', 'n02097474'],
    ['001.Black_footed_Albatross', '010.Red_winged_Blackbird', '001', '10'],
    ['1_cats', '2_dogs', '01', '2'],
    ['03 cats', '7-dogs', '3', '7'],
  ])('%s, %s: says that they begin with codes, by which classes.txt names them', async (one, two, first, second) => {
    await put(`${one}/1.png`, `${two}/1.png`)
    const { classNames, warnings } = await namesOf()
    expect(classNames).toEqual([one, two])
    expect(warnings).toMatch(
      `2 of 2 class folders begin with numbers or WordNet ids (${one}, ${two}) and are used as they are`,
    )
    expect(warnings).toMatch(/put a line "\w+ NAME" for each into .*classes\.txt/)
    await writeFile(join(root, 'classes.txt'), `${second} hound\n${first} lap dog\n`)
    expect(await namesOf()).toEqual({ classNames: ['lap dog', 'hound'], warnings: '' })
    // lines without codes could be in any order
    await writeFile(join(root, 'classes.txt'), 'lap dog\nhound\n')
    expect(await namesOf()).toEqual({ classNames, warnings })
  })

  it('takes names that happen to begin with a number for names', async () => {
    await put('3_series/1.png', 'sedan/1.png', '3_wheeler/1.png')
    expect((await namesOf()).warnings).toBe('')
    await put('n02085620-Chihuahua/1.png')
    expect((await namesOf()).warnings).toMatch(/1 of 4 class folders begin with .* \(n02085620-Chihuahua\)/)
  })

  it('names numbers by their value, not by their place, and two classes may have one name', async () => {
    await put(...['0', '1', '2', '10'].map((name) => `${name}/1.png`))
    await writeFile(
      join(root, 'classes.txt'),
      Array.from({ length: 11 }, (_, i) => (i < 2 ? 'crane' : `c${i}`)).join('\n'),
    )
    expect((await namesOf()).classNames).toEqual(['crane', 'crane', 'c10', 'c2'])
  })
})

describe('readImageFolder on what cannot be used', () => {
  it('names a missing folder and a file', async () => {
    expect((await errorOf(join(root, 'nowhere'))).message).toMatch(/nowhere: no such folder/)
    await put('file.jpg')
    const error = await errorOf(join(root, 'file.jpg'))
    expect(error).toBeInstanceOf(FileError)
    expect(error.message).toMatch(/file.jpg is a file, not a folder/)
  })

  it('shows the layout when there are no class folders', async () => {
    expect((await errorOf()).message).toMatch(/no class folders/)
    await put('1.jpg', '2.png')
    const error = await errorOf()
    expect(error.message).toMatch(/holds 2 images but no class folders/)
    expect(error.remedy).toMatch(/DIR\/cat\/1.jpg/)
  })

  it('leaves out an empty class folder, and says why it counts as empty; two classes must be left', async () => {
    await put('a/1.jpg', 'c/1.jpg', 'b/')
    const found = async () => {
      const warnings: string[] = []
      const { classNames } = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
      return [classNames.join(), ...warnings]
    }
    expect(await found()).toEqual([
      'a,c',
      `${root}: 2 classes, 2 pictures; left out: 1 class folder without pictures (b)`,
    ])
    await put('b/deeper/1.jpg', 'b/1.dng')
    await symlink(join(root, 'none.jpg'), join(root, 'b/1.jpg'))
    expect((await found())[1]).toMatch(
      /left out: 1 class folder without pictures \(b\), 1 \.dng .*, 1 broken or circular link, 1 in sub-folders$/,
    )
    await rm(join(root, 'c/1.jpg'))
    expect((await errorOf()).message).toMatch(
      /has only one class with pictures, "a"; left out: 2 class folders without pictures \(b, c\), 1 \.dng/,
    )
    await rm(join(root, 'a/1.jpg'))
    expect((await errorOf()).message).toMatch(
      /no class folder of .* has pictures; left out: 3 class folders without pic/,
    )
  })

  it('leaves a class that is empty in train/ out of test/ as well, and says so', async () => {
    await put('train/a/1.jpg', 'train/b/1.jpg', 'train/c/', 'val/c/1.jpg', 'val/a/1.jpg')
    await put('Test/a/1.jpg', 'Test/b/', 'Test/c/1.jpg', 'Test/c/2.jpg')
    const warnings: string[] = []
    const dataset = await readImageFolder(root, {}, { onWarning: (text) => warnings.push(text) })
    expect(dataset.classNames).toEqual(['a', 'b'])
    expect([dataset.val, dataset.test].map(names)).toEqual([['0 val/a/1.jpg'], ['0 Test/a/1.jpg']])
    expect(warnings).toEqual([
      `${root}: 2 classes, 4 pictures; left out: 2 class folders without pictures (train/c, Test/b), ` +
        '1 in val/c/ (no pictures of it in train/), 2 in Test/c/ (no pictures of it in train/)',
    ])
  })

  it('refuses one class, and names that give the same prompt', async () => {
    await put('sea_horse/1.jpg')
    expect((await errorOf()).message).toMatch(/only one class, "sea_horse"/)
    await put('Sea horse/1.jpg')
    expect((await errorOf()).message).toMatch(/duplicate class names: "Sea horse" and "sea_horse"/)
  })
})
