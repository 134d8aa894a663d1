import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { gunzipped, type ZipPart, zipOf } from '../../testing/torch-files.ts'
import { bytesSource } from '../safetensors.ts'
import { namedTensors, openTorchFile, type TensorRef, tensorFile } from './index.ts'

const fixture = (name: string) => gunzipped(new URL(`fixtures/${name}.gz`, import.meta.url))
const open = (bytes: Uint8Array) => openTorchFile(bytesSource('x.pt', bytes))

/** All floating-point tensors of a file. */
async function readAll(bytes: Uint8Array): Promise<Map<string, { shape: readonly number[]; data: number[] }>> {
  const file = await open(bytes)
  const tensors = tensorFile(file, namedTensors(file))
  const values = new Map<string, { shape: readonly number[]; data: number[] }>()
  for (const [name, { dtype }] of tensors.entries) {
    if (!/^B?F/.test(dtype)) continue
    const { shape, data } = await tensors.readFloat(name)
    values.set(name, { shape, data: [...data] })
  }
  return values
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('what torch.save wrote', () => {
  it('tensors of every type and stride', async () => {
    // t = arange(24) as (2, 3, 4)
    const half = { shape: [3, 4], data: range(0, 12) }
    expect(Object.fromEntries(await readAll(fixture('tensors.pt')))).toEqual({
      plain: { shape: [2, 3, 4], data: range(0, 24) },
      turned: { shape: [4, 2, 3], data: range(0, 4).flatMap((i) => range(0, 6).map((j) => i + 4 * j)) },
      slice: { shape: [3, 2], data: [13, 14, 17, 18, 21, 22] },
      column: { shape: [2], data: [6, 18] },
      expanded: { shape: [3, 2], data: [1, 2, 1, 2, 1, 2] },
      scalar: { shape: [], data: [2.5] },
      empty: { shape: [0, 3], data: [] },
      parameter: { shape: [4, 3], data: range(0, 4).flatMap((i) => range(0, 3).map((j) => i + 4 * j)) },
      half,
      brain: half,
      double: half,
    })
  })

  it('says which tensor is of a type that is not supported, when it is wanted', async () => {
    const file = await open(fixture('tensors.pt'))
    const tensors = tensorFile(file, namedTensors(file))
    expect(tensors.entries.get('counter')?.dtype).toBe('I64')
    await expect(tensors.readFloat('complex')).rejects.toThrow(/"complex": it contains torch\.ComplexFloatStorage/)
    await expect(tensors.readFloat('words')).rejects.toThrow(/no tensor "words"/)
  })

  it('the same of types without a storage class of their own', async () => {
    // torch.save({'a': torch.arange(3.0), 'f8': torch.ones(2, dtype=torch.float8_e4m3fn), 'u16': torch.ones(2, dtype=torch.uint16)})
    const file = await open(fixture('types.pt'))
    const tensors = tensorFile(file, namedTensors(file))
    expect([...(await tensors.readFloat('a')).data]).toEqual([0, 1, 2])
    await expect(tensors.readFloat('f8')).rejects.toThrow(/^x\.pt: tensor "f8": it contains torch\.float8_e4m3fn;/)
    await expect(tensors.readFloat('u16')).rejects.toThrow(/"u16": it contains torch\.uint16/)
  })

  it('another protocol of pickle, and a whole module', async () => {
    expect((await readAll(fixture('protocol4.pt'))).get('a')?.data).toEqual(range(0, 24))
    const module = await open(fixture('module.pt'))
    const shapes = [...namedTensors(module)].map(([name, { shape }]) => [name, shape])
    expect(shapes).toEqual([
      ['0.weight', [3, 2]],
      ['0.bias', [3]],
    ])
  })
})

describe('files that are something else', () => {
  const text = (words: string) => new TextEncoder().encode(words)
  const safetensors = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d)
  const tar = new Uint8Array(512)
  tar.set(text('ustar'), 257)
  it.each([
    ['empty', new Uint8Array(0), /x\.pt is empty/],
    [
      'an old torch file',
      Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
      /old format/,
    ],
    ['a pickle', text('\u0080\u0003}q.').slice(1), /bare pickle/],
    ['safetensors', safetensors, /a safetensors file/],
    ['tar', tar, /a tar archive/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /compressed with gzip/],
    ['a pointer of git', text('version https://git-lfs.github.com/spec/v1\n'), /Git LFS pointer/],
    ['a web page', text('<!DOCTYPE html><html>'), /a web page/],
    ['anything', text('some words'), /not a torch file: it is not a zip archive/],
    ['another zip', zipOf([{ name: 'word/document.xml', data: text('x') }]), /not a torch one: it has no data\.pkl/],
    [
      'two in one',
      zipOf(['a', 'b'].map((n) => ({ name: `${n}/data.pkl`, data: text('N.') }))),
      /more than one data\.pkl/,
    ],
  ])('%s', async (_, bytes, message) => {
    const opening = open(bytes)
    await expect(opening).rejects.toThrow(FileError)
    await expect(opening).rejects.toThrow(message)
    const remedy = await opening.catch((error: unknown) => error instanceof FileError && error.remedy)
    expect(remedy).toMatch(/\w/)
  })
})

describe('dishonest tensors', () => {
  const latin = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))
  const int = (value: number) =>
    `J${String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255)}`
  const word = (text: string) => `\x8c${String.fromCharCode(text.length)}${text}`
  const tuple = (values: readonly number[]) => `(${values.map(int).join('')}t`

  interface About {
    readonly storage?: string
    readonly count?: number
    readonly offset?: number
    readonly shape?: readonly number[]
    readonly strides?: readonly number[]
    readonly parts?: readonly ZipPart[]
  }

  /** A file with one tensor "t" over a storage of four floats, as torch's own calls make it. */
  function fileWith(about: About): Uint8Array {
    const { storage = 'FloatStorage', count = 4, offset = 0, shape = [4], strides = [1], parts = [] } = about
    const id = `(${word('storage')}ctorch\n${storage}\n${word('0')}${word('cpu')}${int(count)}tQ`
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${id}${int(offset)}${tuple(shape)}${tuple(strides)}\x89NtR`
    return zipOf([
      { name: 'm/data.pkl', data: latin(`\x80\x02}${word('t')}${tensor}s.`) },
      { name: 'm/data/0', data: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
      ...parts,
    ])
  }

  it('an honest one is read', async () => {
    expect((await readAll(fileWith({ shape: [2, 2], strides: [1, 2] }))).get('t')?.data).toEqual([1, 3, 2, 4])
    const little = { name: 'm/byteorder', data: latin('little') }
    expect((await readAll(fileWith({ parts: [little] }))).get('t')?.data).toEqual([1, 2, 3, 4])
  })

  it.each<[string, About, RegExp]>([
    ['past the end of its memory', { shape: [5] }, /reaches value 5 of a memory of 4 values|more values/],
    ['behind its memory', { offset: 1 }, /reaches value 5/],
    ['with strides past the end', { shape: [2], strides: [4] }, /reaches value 5/],
    ['with more memory than is stored', { count: 5 }, /take 20 bytes, but m\/data\/0 has 16/],
    ['of another type than is stored', { storage: 'HalfStorage' }, /take 8 bytes, but m\/data\/0 has 16/],
    ['repeated without end', { shape: [2e9, 2e9], strides: [0, 0] }, /has more values than its memory/],
    ['written on another machine', { parts: [{ name: 'm/byteorder', data: latin('big') }] }, /another byte order/],
  ])('%s', async (_, about, message) => {
    const reading = readAll(fileWith(about))
    await expect(reading).rejects.toThrow(FileError)
    await expect(reading).rejects.toThrow(message)
  })

  it.each<[string, About]>([
    ['negative sizes', { shape: [-1] }],
    ['as many strides as axes', { shape: [2, 2] }],
    ['a negative offset', { offset: -1 }],
  ])('%s make no tensor', async (_, about) => {
    await expect(open(fileWith(about)).then((file) => namedTensors(file))).rejects.toThrow(
      /"t" is made by .* not supported/,
    )
  })

  it('dictionaries that hold one another come to an end', async () => {
    const endless = zipOf([{ name: 'm/data.pkl', data: latin(`}q\x00${word('a')}h\x00s.`) }])
    await expect(open(endless).then((file) => namedTensors(file))).rejects.toThrow(/nested too deeply/)
    const layers = range(1, 60).map(
      (i) =>
        `}q${String.fromCharCode(i)}(${['a', 'b', 'c'].map((k) => `${word(k)}h${String.fromCharCode(i - 1)}`).join('')}u`,
    )
    const wide = zipOf([{ name: 'm/data.pkl', data: latin(`}q\x00${layers.join('')}.`) }])
    await expect(open(wide).then((file) => namedTensors(file))).rejects.toThrow(/too many values/)
  })
})

describe('damage', () => {
  let whole: Uint8Array
  beforeAll(() => {
    whole = fixture('tensors.pt')
  })

  async function outcome(bytes: Uint8Array): Promise<unknown> {
    try {
      const file = await open(bytes)
      const tensors: ReadonlyMap<string, TensorRef> = namedTensors(file)
      for (const [name, ref] of tensors)
        await file.readFloat(ref, name).catch((error: unknown) => expectFileError(error))
      return undefined
    } catch (error) {
      expectFileError(error)
      return error
    }
  }

  function expectFileError(error: unknown): void {
    if (!(error instanceof FileError)) throw error
  }

  it('anywhere gives a FileError or another value, never anything else', async () => {
    const damage = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bytes = whole.slice()
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        await outcome(bytes)
      }),
      { numRuns: 500 },
    )
  })

  it('by a cut is always noticed', async () => {
    for (let length = 0; length < whole.length; length += 7) {
      expect(await outcome(whole.subarray(0, length)), `cut to ${length}`).toBeInstanceOf(FileError)
    }
  })

  it('of a single bit of a tensor is noticed by its checksum', async () => {
    const bytes = whole.slice()
    const at = bytes.findIndex(
      (_, i) =>
        new DataView(bytes.buffer, i).byteLength > 4 && new DataView(bytes.buffer, i, 4).getFloat32(0, true) === 23,
    )
    bytes[at + 1] = (bytes[at + 1] ?? 0) ^ 1
    const file = await open(bytes)
    const plain = namedTensors(file).get('plain')
    if (plain === undefined) throw new Error('the file has a tensor "plain"')
    await expect(file.readFloat(plain, 'plain')).rejects.toThrow(/checksum/)
  })
})
