import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CoopError } from '../base/errors.ts'
import type { Item } from '../data/items.ts'
import { longestHold, UNNOTICED } from '../testing/ticks.ts'
import { type ListOptions, readImageList } from './lists.ts'

let root = ''
let warnings: string[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-list-'))
  warnings = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, text: string | Uint8Array = ''): Promise<string> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
  return join(root, path)
}

const IMAGES = ['1.jpg', '2.jpg', '3.jpg', '4.jpg', 'more/5.jpg', 'a, b.jpg']

/** A list beside six images. */
async function list(text: string | Uint8Array, name = 'list.csv'): Promise<string> {
  for (const image of IMAGES) await put(image)
  return put(name, text)
}

const read = (file: string, options: ListOptions = {}) =>
  readImageList(file, options, { onWarning: (text) => warnings.push(text) })
const names = (items: readonly Item[]) => items.map(({ path, label }) => `${label} ${path.slice(root.length + 1)}`)

it('keeps rows with the label _other apart from the classes, whose numbers stay numbers', async () => {
  const text =
    'path,label,split\n1.jpg,10,train\n2.jpg,9,train\n3.jpg,_other,train\n4.jpg,9,test\nmore/5.jpg,_other,test\n'
  const { classNames, train, test, others } = await read(await list(text))
  expect(classNames).toEqual(['9', '10'])
  expect([names(train), names(test)]).toEqual([['1 1.jpg', '0 2.jpg'], ['0 4.jpg']])
  expect([names(others?.train ?? []), names(others?.test ?? [])]).toEqual([['0 3.jpg'], ['0 more/5.jpg']])
  expect((await errorOf('path,label\n1.jpg,_other\n')).message).toMatch(/has only pictures of no class/)
})

async function errorOf(text: string, name?: string, options?: ListOptions): Promise<CoopError> {
  const error = await read(await list(text, name), options).catch((thrown: unknown) => thrown)
  if (!(error instanceof CoopError)) throw new Error(`expected a CoopError, got ${JSON.stringify(error)}`)
  expect(error.remedy).toBeTruthy()
  return error
}

const SPLIT = 'path,label,split\n4.jpg,dog,train\n1.jpg,Cat,train\n2.jpg,dog,val\nmore/5.jpg,Cat,test\n'

describe('readImageList', () => {
  it('keeps the order of the rows; classes stand in byte order', async () => {
    const dataset = await read(await list(SPLIT))
    expect(dataset).toMatchObject({ name: 'list', root, classNames: ['Cat', 'dog'] })
    expect(names(dataset.train)).toEqual(['1 4.jpg', '0 1.jpg'])
    expect(names(dataset.val)).toEqual(['1 2.jpg'])
    expect(names(dataset.test)).toEqual(['0 more/5.jpg'])
    expect(warnings).toEqual([])
  })

  it.each<[string, string, string | Uint8Array]>([
    ['TSV', 'list.tsv', SPLIT.replaceAll(',', '\t')],
    ['CR LF and byte order mark', 'list.csv', `\uFEFF${SPLIT.replaceAll('\n', '\r\n')}`],
    [
      'quotes, other names and order of columns',
      'x.CSV',
      'Split,"Class",extra,FILE\n"training",dog,"x\n\ny",4.jpg\ntrain,Cat,,1.jpg\nValidation,dog,,2.jpg\nTEST,Cat,,more/5.jpg\n',
    ],
    [
      'JSON lines',
      'list.jsonl',
      '{"image":"4.jpg","label":"dog","split":"train","box":[1]}\n\n{"split":"train","image":"1.jpg","label":"Cat"}\n' +
        '{"image":"2.jpg","label":"dog","split":"dev"}\n{"image":"more/5.jpg","label":"Cat","split":"test","x":null}',
    ],
  ])('reads the same from %s', async (_, name, text) => {
    const plain = await read(await list(SPLIT))
    const { name: __, ...other } = await read(await list(text, name))
    expect(plain).toMatchObject(other)
  })

  it('splits by seed as an image folder where nothing is said; a copied row changes nothing for the others', async () => {
    const rows = IMAGES.slice(0, 4).flatMap((image) => [`${image},cat`, `more/../${image},dog`])
    const dataset = await read(await list(`path,label\n${rows.join('\n')}`), { seed: 3 })
    expect([dataset.train.length, dataset.val.length, dataset.test.length]).toEqual([6, 0, 2])
    const half = await read(await list(`path,label\n${rows.join('\n')}`), { seed: 3, testShare: 0.5 })
    expect([half.train.length, half.test.length, half.testShare]).toEqual([4, 4, 0.5])
    expect(await read(await list(`path,label\n${rows.join('\n')}`), { seed: 3 })).toEqual(dataset)
  })

  it("takes absolute paths and those above the folder: a list is its user's own", async () => {
    const outside = await put('1.jpg')
    const file = await put('lists/list.csv', `path,label\n${outside},cat\n../2.jpg,dog`)
    await put('2.jpg')
    const { train } = await read(file)
    expect(train.map(({ path }) => path)).toEqual([outside, join(root, '2.jpg')])
  })

  it('takes the columns that it is told', async () => {
    const file = await list('where,what,label\n1.jpg,cat,x\n2.jpg,dog,x\n')
    const { classNames } = await read(file, { imageColumn: 'Where', labelColumn: 'what' })
    expect(classNames).toEqual(['cat', 'dog'])
  })
})

describe('labels that are numbers', () => {
  const NUMBERS = 'path,label\n1.jpg,10\n2.jpg,2\n3.jpg,10.0\n4.jpg,2\n'

  it('stand in numerical order, and for themselves with a warning', async () => {
    const { classNames, train } = await read(await list(NUMBERS))
    expect(classNames).toEqual(['2', '10'])
    expect(names(train).map((name) => name[0])).toEqual(['0', '1'])
    expect(warnings.join()).toMatch(/labels are numbers/)
  })

  it('have names in a column', async () => {
    const { classNames } = await read(await list('path,label,label_name\n1.jpg,10,ant\n2.jpg,2,zebra\n'))
    expect(classNames).toEqual(['zebra', 'ant'])
    const error = await errorOf('path,label,label_name\n1.jpg,1,ant\n2.jpg,0,zebra\n3.jpg,1,bee')
    expect(error.message).toMatch(/list\.csv:4: label 1 is "bee" here but "ant" above/)
  })

  it('have names in a file beside the list', async () => {
    await put('classes.txt', 'zebra\r\nant\r\nunused\r\n')
    expect((await read(await list('path,label\n1.jpg,1\n2.jpg,0\n'))).classNames).toEqual(['zebra', 'ant'])
    expect(warnings).toEqual([])
    expect((await errorOf('path,label\n1.jpg,1\n2.jpg,3\n')).message).toMatch(
      /list\.csv:3: label 3 is outside 0 to 2, the labels of .*classes\.txt/,
    )
    await put('classes.txt', 'zebra\n\nant')
    expect((await errorOf('path,label\n1.jpg,1\n2.jpg,0\n')).message).toMatch(/classes\.txt:2: the line is empty/)
  })

  it('below 0 are refused', async () => {
    expect((await errorOf('path,label\n1.jpg,1\n2.jpg,-1\n')).message).toMatch(/list\.csv:3: the label -1 is below 0/)
  })

  it('that are codes keep their zeros beside other texts', async () => {
    expect((await read(await list('path,label\n1.jpg,007\n2.jpg,x\n'))).classNames).toEqual(['007', 'x'])
  })

  it('are said where only some labels are codes or begin with one, and named by the file beside the list', async () => {
    const text = 'path,label\n1.jpg,n02012849\n2.jpg,cat\n3.jpg,n02085620-Chihuahua\n4.jpg,7\n'
    await read(await list(text))
    expect(warnings).toEqual([
      `${join(root, 'list.csv')}: 3 of 4 labels are or begin with numbers or WordNet ids (7, n02012849, n02085620-Chihuahua) ` +
        'and are used as they are in the prompts; to give names, add a column label_name, or put a line "7 NAME" for each ' +
        `into ${join(root, 'classes.txt')}`,
    ])
    warnings = []
    await put('classes.txt', 'n02012849 crane\n7: dog\nn02085620 Chihuahua\n')
    expect((await read(await list(text))).classNames).toEqual(['dog', 'cat', 'crane', 'Chihuahua'])
    expect(warnings).toEqual([])
  })

  it('are said in a column of names, too', async () => {
    await read(await list('path,label,label_name\n1.jpg,0,1_cats\n2.jpg,1,2_dogs\n'))
    expect(warnings.join()).toMatch(/2 of 2 labels begin with .*write them into the column label_name/)
  })
})

describe('parts', () => {
  it('without test images val is tested on', async () => {
    const dataset = await read(await list('path,label,split\n1.jpg,a,train\n2.jpg,b,train\n3.jpg,a,val\n'))
    expect(names(dataset.test)).toEqual(['0 3.jpg'])
    expect(dataset.val).toEqual([])
    expect(warnings.join()).toMatch(/no test images: the validation images are used/)
  })

  it('all for training are split by seed, with a warning', async () => {
    const dataset = await read(
      await list('path,label,split\n1.jpg,a,train\n2.jpg,b,train\n3.jpg,a,train\n4.jpg,b,train\n'),
    )
    expect([dataset.train.length, dataset.test.length]).toEqual([2, 2])
    expect(warnings.join()).toMatch(/a seed decides/)
  })

  it('test images alone are a data set to be tested on', async () => {
    const dataset = await read(await list('path,label,split\n1.jpg,a,test\n2.jpg,b,test\n'))
    expect([dataset.train.length, dataset.test.length]).toEqual([0, 2])
  })

  it('warns of an image in train and test, and of one in two classes', async () => {
    await read(
      await list('path,label,split\n1.jpg,a,train\n./1.jpg,a,test\n2.jpg,b,train\n2.jpg,a,train\n3.jpg,b,test'),
    )
    expect(warnings).toEqual([
      expect.stringMatching(/1 image is in two classes; the first is .*2\.jpg \(.*list\.csv:5\)/),
      expect.stringMatching(/1 image is in both train and test; the first is .*1\.jpg/),
    ])
  })
})

describe('what is refused, by file and line', () => {
  it.each<[string, string, RegExp]>([
    ['no column for images', 'x,label\n1.jpg,a', /list\.csv: no column for the images; the columns are "x", "label"/],
    ['no column for labels', 'path,x\n1.jpg,a', /no column for the labels; the columns are "path", "x"/],
    ['another delimiter', 'path;label\n1.jpg;a', /the only column is "path;label" \(a \.csv has commas/],
    ['no header', '1.jpg,cat\n2.jpg,dog', /no column for the images; the columns are "1\.jpg", "cat"/],
    ['no rows', 'path,label\n', /lists no images/],
    ['nothing', '', /lists no images/],
    ['an empty label', 'path,label\n1.jpg,a\n2.jpg,\n', /list\.csv:3 has no label/],
    ['an empty path', 'path,label\n,a\n2.jpg,b\n', /list\.csv:2 has no image/],
    ['too few fields', 'path,label\n1.jpg,a\n2.jpg\n', /list\.csv:3: 1 fields, but the header has 2/],
    ['too many fields', 'path,label\n1.jpg,a,b\n', /list\.csv:2: 3 fields/],
    ['a column twice', 'path,label,Path\n1.jpg,a,b\n', /list\.csv:1: two columns are named "path"/],
    [
      'an unknown split',
      'path,label,split\n1.jpg,a,train\n2.jpg,b,tset\n',
      /list\.csv:3: the split "tset" is not one of/,
    ],
    ['a split for some', 'path,label,split\n1.jpg,a,train\n2.jpg,b,\n', /list\.csv:3 has no split/],
    ['one class', 'path,label\n1.jpg,a\n2.jpg,a\n', /only one class, "a"/],
    ['one class twice', 'path,label\n1.jpg,sea_horse\n2.jpg,Sea horse\n', /duplicate class names/],
    [
      'a missing image',
      'path,label\n1.jpg,a\n9.jpg,b\n8.jpg,b',
      /list\.csv:3: image file not found: .*9\.jpg \(and those of 1 more row\)/,
    ],
  ])('%s', async (_, text, message) => {
    expect((await errorOf(text)).message).toMatch(message)
  })

  it.each<[string, RegExp]>([
    ['{"path":"1.jpg","label":"a"}\n{"path":', /list\.jsonl:2:9: not valid JSON/],
    ['{"path":"1.jpg","label":"a"}\n["2.jpg"]', /list\.jsonl:2: not a JSON object/],
    ['{"path":"1.jpg","label":"a"}\n{"path":"2.jpg"}', /list\.jsonl:2 has no label/],
    ['{"path":"1.jpg","label":["a"]}', /no column for the labels; the only column is "path"/],
  ])('JSON lines %j', async (text, message) => {
    expect((await errorOf(text, 'list.jsonl')).message).toMatch(message)
  })

  it('a column that is not there, and text that is not UTF-8', async () => {
    expect((await errorOf(SPLIT, 'list.csv', { labelColumn: 'kind' })).message).toMatch(
      /no column for the labels; the columns are/,
    )
    const utf16 = await list(Buffer.from(SPLIT, 'utf16le'))
    await expect(read(utf16)).rejects.toThrow(/list\.csv is not UTF-8 text/)
    const latin1 = await list(Buffer.from('path,label\n1.jpg,été', 'latin1'))
    await expect(read(latin1)).rejects.toThrow(/list\.csv is not UTF-8 text/)
  })

  it('missing images are left out where that is asked, not all of them', async () => {
    const text = 'path,label\n1.jpg,a\n9.jpg,b\n2.jpg,b\n'
    const { train, test } = await read(await list(text), { skipBadImages: true })
    expect(train.length + test.length).toBe(2)
    expect(warnings.join()).toMatch(/left out: .*list\.csv:3: image file not found/)
    expect((await errorOf('path,label\n8.jpg,a\n9.jpg,b\n', 'l.csv', { skipBadImages: true })).message).toMatch(
      /l\.csv:2/,
    )
  })
})

it('two classes of one name stay two where numbers tell them apart', async () => {
  const beside = 'path,label,label_name\n1.jpg,134,crane\n2.jpg,517,crane\n3.jpg,2,dog\n'
  expect((await read(await list(beside))).classNames).toEqual(['dog', 'crane', 'crane'])
  await put('classes.txt', 'crane\ndog\ncrane\n')
  const { classNames, train, test } = await read(await list('path,label\n1.jpg,0\n2.jpg,1\n3.jpg,2\n'))
  expect(classNames).toEqual(['crane', 'dog', 'crane'])
  expect([...train, ...test].map(({ label }) => label).sort()).toEqual([0, 1, 2])
})

it.each(['csv', 'jsonl'])('a long %s list lets others go on while it is read', async (ending) => {
  const rows = Array.from({ length: 40_000 }, (_, i) => ({ path: IMAGES[i % 4], label: `class ${i % 2}` }))
  const csv = ['path,label', ...rows.map(({ path, label }) => `${path},${label}`)]
  const lines = ending === 'csv' ? csv : rows.map((row) => JSON.stringify(row))
  const file = await list(lines.join('\n'), `long.${ending}`)
  expect(await longestHold(() => readImageList(file))).toBeLessThan(UNNOTICED)
})
