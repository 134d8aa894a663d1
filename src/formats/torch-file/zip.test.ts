import { describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { type ZipLies, type ZipPart, zipOf } from '../../testing/torch-files.ts'
import { bytesSource } from '../safetensors.ts'
import { crc32 } from './crc32.ts'
import { openZip } from './zip.ts'

const part = (name: string, text: string, changes: Partial<ZipPart> = {}): ZipPart => ({
  name,
  data: new TextEncoder().encode(text),
  ...changes,
})
const two = [part('m/data.pkl', 'pickle'), part('m/data/0', 'numbers')]
const open = (parts: readonly ZipPart[], lies: ZipLies = {}) => openZip(bytesSource('x.pt', zipOf(parts, lies)))
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

it('crc32', () => expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926))

describe.each([{ zip64: false }, { zip64: true }])('reading, %o', (lies) => {
  it('gives entries whole and in part', async () => {
    const zip = await open(two, lies)
    expect([...zip.sizes]).toEqual([
      ['m/data.pkl', 6],
      ['m/data/0', 7],
    ])
    expect(textOf(await zip.read('m/data.pkl'))).toBe('pickle')
    expect(textOf(await zip.read('m/data/0', 2, 3))).toBe('mbe')
    await expect(zip.read('m/data/0', 5, 3)).rejects.toThrow(/"m\/data\/0" has 7 bytes, but 8 are needed/)
    await expect(zip.read('m/data/1')).rejects.toThrow(/no entry "m\/data\/1"/)
  })
})

it('verifies checksums of entries that are read whole; 0 is none', async () => {
  const bytes = (crc: number) => [part('m/a', 'numbers', { crc })]
  await expect((await open(bytes(1))).read('m/a')).rejects.toThrow(/checksum of "m\/a" does not match/)
  expect(textOf(await (await open(bytes(1))).read('m/a', 0, 3))).toBe('num')
  expect(textOf(await (await open(bytes(0))).read('m/a'))).toBe('numbers')
})

it('minds compressed and encrypted entries only when they are wanted', async () => {
  const zip = await open([...two, part('m/code.py', 'x', { method: 8, size: 9e8 }), part('m/b', 'x', { flags: 1 })])
  expect(textOf(await zip.read('m/data.pkl'))).toBe('pickle')
  await expect(zip.read('m/code.py')).rejects.toThrow(/"m\/code.py" is compressed/)
  await expect(zip.read('m/b')).rejects.toThrow(/encrypted/)
})

describe('dishonest archives', () => {
  const cases: readonly (readonly [what: string, parts: readonly ZipPart[], lies: ZipLies, message: RegExp])[] = [
    [
      'a size that is not the stored one',
      [part('a', 'xyz', { size: 1000 })],
      {},
      /stored in 3 bytes but states a size of 1000/,
    ],
    ['a stored size past the directory', [part('a', 'xyz', { size: 500, storedSize: 500 })], {}, /overlaps|outside/],
    ['entries at one place', [part('a', 'xyz'), part('b', 'xyz', { offset: 0 })], {}, /overlaps/],
    [
      'an entry outside of the file',
      [part('a', 'xyz', { offset: 1e6 })],
      {},
      /overlaps what follows it, or is outside/,
    ],
    ['two entries of one name', [part('a', 'x'), part('a', 'y')], {}, /two entries "a"/],
    ['a header of another name', [part('a', 'x', { localName: 'b' })], {}, /header of the entry "a" is damaged/],
    ['a header with a longer name', [part('a', 'x', { localName: 'aa' })], {}, /header of the entry "a" is damaged/],
    ['more entries than there are', two, { count: 3 }, /entry 3 of its zip directory is damaged|states 3 entries/],
    ['billions of entries', two, { count: 4e9, zip64: true }, /states 4000000000 entries/],
    ['a directory larger than the file', two, { directorySize: 1e9 }, /is outside the file/],
    ['a directory behind its end', two, { directoryOffset: 1e6 }, /is outside the file/],
    ['a directory of 10^18 bytes', two, { directorySize: 1e18, zip64: true }, /states a size of 1000000000000000000/],
    ['a path that leads out', [part('../../etc/passwd', 'x')], {}, /would be written outside its folder/],
    ['an absolute path', [part('/etc/passwd', 'x')], {}, /would be written outside its folder/],
    ['a path of Windows', [part('m\\..\\x', 'x')], {}, /would be written outside its folder/],
    ['a drive', [part('C:/x', 'x')], {}, /would be written outside its folder/],
  ]
  it.each(cases)('%s', async (_, parts, lies, message) => {
    const reading = open(parts, lies).then((zip) => Promise.all([...zip.sizes.keys()].map((name) => zip.read(name))))
    await expect(reading).rejects.toThrow(FileError)
    await expect(reading).rejects.toThrow(message)
    await expect(reading).rejects.toThrow('x.pt')
  })

  it('is refused wherever it is cut', async () => {
    const whole = zipOf(two)
    for (let length = 0; length < whole.length; length++) {
      await expect(openZip(bytesSource('x.pt', whole.subarray(0, length))), `${length}`).rejects.toThrow(FileError)
    }
  })
})
