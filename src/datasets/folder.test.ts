import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CoopError, FileError } from '../base/errors.ts'
import type { Item } from '../data/items.ts'
import { holdOutVal } from '../data/split.ts'
import { readImageFolder } from './folder.ts'

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

  it('says what is missing or too much', async () => {
    await put('train/a/1.jpg', 'train/b/1.jpg', 'bus/1.jpg')
    expect((await errorOf()).message).toMatch(/train\/ but no test\/, and 1 other folder beside it/)
    await put('test/a/1.jpg', 'test/zebra/1.jpg')
    expect((await errorOf()).message).toMatch(/"zebra".*not in train/)
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

  it('passes over hidden files, links, other files and archive leftovers; extensions in any case', async () => {
    await put('a/1.JPG', 'a/2.WebP', 'a/Thumbs.db', 'a/.DS_Store', 'a/.hidden.jpg', 'a/notes.txt', 'a/sub/x.jpg')
    await put('b/1.tiff', 'b/2.avif', 'b/3.jpeg', '.git/x.jpg', '__MACOSX/x.jpg', 'stray.jpg')
    await symlink(join(root, 'a'), join(root, 'link'))
    await symlink(join(root, 'a/1.JPG'), join(root, 'b/linked.jpg'))
    const { classNames, train, val, test } = await readImageFolder(root)
    expect(classNames).toEqual(['a', 'b'])
    const found = [...train, ...val, ...test].map(({ path }) => path.slice(root.length + 1)).sort()
    expect(found).toEqual(['a/1.JPG', 'a/2.WebP', 'b/1.tiff', 'b/2.avif', 'b/3.jpeg'])
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

  it('names an empty class folder, and why it counts as empty', async () => {
    await put('a/1.jpg', 'b/')
    expect((await errorOf()).message).toMatch(/class folder .*b has no images$/)
    await put('b/deeper/1.jpg')
    expect((await errorOf()).message).toMatch(/b has no images, only 1 folder$/)
    await rm(join(root, 'b'), { recursive: true })
    await put('b/')
    await symlink(join(root, 'a/1.jpg'), join(root, 'b/1.jpg'))
    expect((await errorOf()).message).toMatch(/1 symbolic link, which are not followed/)
  })

  it('refuses one class, and names that give the same prompt', async () => {
    await put('sea_horse/1.jpg')
    expect((await errorOf()).message).toMatch(/only one class, "sea_horse"/)
    await put('Sea horse/1.jpg')
    expect((await errorOf()).message).toMatch(/duplicate class names: "Sea horse" and "sea_horse"/)
  })
})
