import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { pathTrouble, readSplitFile, writeSplitFile } from './split-file.ts'
import { OFFICIAL_DATASETS } from './table.ts'

let folder = ''
let file = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-split-'))
  file = join(folder, 'split.json')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A split file with one image a line: train lines 2 and 3, val line 4, test lines 5 and 6. */
const lines = (...[a, b, c, d, e]: string[]) => `{"train": [\n${a},\n${b}], "val": [\n${c}], "test": [\n${d},\n${e}]}`
const good = [
  '["a/1.jpg", 0, "cat"]',
  '["b/1.jpg", 1, "dog"]',
  '["a/2.jpg", 0, "cat"]',
  '["a/3.jpg", 0, "cat"]',
  '["b/2.jpg", 1, "dog"]',
]
/** The good file with one line replaced, by its number in the file. */
const wrong = (line: number, text: string) => lines(...good.map((row, i) => (i === line - 2 ? text : row)))

async function refusal(text: string): Promise<string> {
  await writeFile(file, text)
  const error: unknown = await readSplitFile(file).catch((thrown: unknown) => thrown)
  if (!(error instanceof FileError)) throw new Error(`expected a FileError, got ${error}`)
  expect(error.remedy).toBeTruthy()
  return error.message.replace(file, 'FILE')
}

describe('readSplitFile', () => {
  it('reads paths, labels and class names', async () => {
    await writeFile(file, `\ufeff${lines(...good)}`)
    expect(await readSplitFile(file)).toEqual({
      classNames: ['cat', 'dog'],
      train: [
        { name: 'a/1.jpg', label: 0 },
        { name: 'b/1.jpg', label: 1 },
      ],
      val: [{ name: 'a/2.jpg', label: 0 }],
      test: [
        { name: 'a/3.jpg', label: 0 },
        { name: 'b/2.jpg', label: 1 },
      ],
    })
  })

  it.each<[what: string, text: string, message: string]>([
    ['no JSON', wrong(4, '["a/2.jpg", 0, "cat" 1]'), 'FILE:4:22: not valid JSON: expected "," or "]"'],
    ['a part that appears twice', '{"train": [], "train": []}', 'FILE:1:15: the key "train" appears twice'],
    ['another JSON', '[1, 2]', 'FILE:1:1: this is not a split file'],
    ['no test part', '{"train": [],\n"val": []}', 'FILE:1:1: this split file has no list "test"'],
    ['a part that is no list', '{"train":\n[],\n"val": {}}', 'FILE:3:8: this split file has no list "val"'],
    ['no images', '{"train": [], "val": [], "test": []}', 'FILE:1:1: this split file lists no images'],
    ['too few entries', wrong(3, '["b/1.jpg", 1]'), 'FILE:3:1: an image is a list of three'],
    ['a number for a path', wrong(5, '[7, 0, "cat"]'), 'FILE:5:2: the path of an image must be a string'],
    ['an absolute path', wrong(2, '["/etc/passwd", 0, "cat"]'), 'FILE:2:2: the path "/etc/passwd" is absolute'],
    ['a path of Windows', wrong(2, '["C:\\\\a.jpg", 0, "cat"]'), 'FILE:2:2: the path "C:\\\\a.jpg" is absolute'],
    ['path traversal', wrong(6, '["b/../../x.jpg", 1, "dog"]'), 'FILE:6:2: the path "b/../../x.jpg" leads out'],
    [
      'a fraction for a label',
      wrong(3, '["b/1.jpg", 1.5, "dog"]'),
      'FILE:3:13: a label is a whole number from 0 up, not 1.5',
    ],
    ['a negative label', wrong(3, '["b/1.jpg", -1, "dog"]'), 'FILE:3:13: a label is a whole number from 0 up, not -1'],
    [
      'a text for a label',
      wrong(3, '["b/1.jpg", "1", "dog"]'),
      'FILE:3:13: a label is a whole number from 0 up, not "1"',
    ],
    ['an empty class name', wrong(3, '["b/1.jpg", 1, " "]'), 'FILE:3:16: a class name is a string'],
    [
      'a label out of range',
      wrong(3, '["b/1.jpg", 7, "owl"]'),
      'FILE:3:13: label 7 is out of range: there are 3 classes',
    ],
    [
      'two names for a label',
      wrong(6, '["b/2.jpg", 1, "Dog"]'),
      'FILE:6:16: label 1 is "Dog" here but "dog" in "train"',
    ],
    [
      'two names in one part',
      wrong(3, '["b/1.jpg", 0, "dog"]'),
      'FILE:3:16: label 0 is "dog" here but "cat" in a line above',
    ],
    [
      'two labels for a name',
      wrong(4, '["a/2.jpg", 2, "cat"]'),
      'FILE:4:13: the class "cat" has label 2 here but 0 above',
    ],
  ])('refuses %s', async (_, text, message) => {
    expect(await refusal(text)).toContain(message)
  })

  it('says which file is missing', async () => {
    await expect(readSplitFile(join(folder, 'none.json'))).rejects.toThrow(/cannot read .*none.json/)
  })
})

describe('writeSplitFile', () => {
  it('writes what readSplitFile reads, in ASCII', async () => {
    const split = {
      classNames: ['café', 'a "b"'],
      train: [{ name: 'é/ü.jpg', label: 0 }],
      val: [],
      test: [{ name: '\u{1f600}.jpg', label: 1 }],
    }
    await writeSplitFile(file, split)
    expect(await readSplitFile(file)).toEqual(split)
    expect(await readFile(file, 'utf8')).toMatch(/^[\n -~]*$/)
  })
})

it('pathTrouble lets names with dots pass', () => {
  for (const name of ['a/b.jpg', '..a/b..jpg', 'a..b/c', 'c:d.jpg']) expect(pathTrouble(name)).toBeUndefined()
  for (const name of ['..', 'a/..', '..\\a', '\\a', 'a\0b']) expect(pathTrouble(name)).toBeDefined()
})

const SHARED = new URL('../../../../shared/paper/splits/', import.meta.url)
describe.skipIf(!existsSync(SHARED))(
  'the official split files (skipped where ../shared/paper/splits is missing)',
  () => {
    const there = OFFICIAL_DATASETS.filter(({ splitFile }) => splitFile && existsSync(new URL(splitFile, SHARED)))
    it.each(there)('$splitFile has the published counts', async ({ splitFile = '', counts }) => {
      const { classNames, train, val, test } = await readSplitFile(new URL(splitFile, SHARED).pathname)
      expect({ classes: classNames.length, train: train.length, val: val.length, test: test.length }).toEqual(counts)
    })
  },
)
