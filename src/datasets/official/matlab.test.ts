import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import { readMatFile } from './matlab.ts'

/** One set of variables as scipy's `savemat` writes it, without and with compression; base64. */
const written: { plain: string; packed: string } = JSON.parse(
  readFileSync(new URL('fixtures/matlab.json', import.meta.url), 'utf8'),
)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-matlab-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function read(bytes: Uint8Array) {
  const file = join(folder, 'x.mat')
  await writeFile(file, bytes)
  return readMatFile(file)
}
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

/** A file with these elements: header, then type, length and data of each. */
function matFile(...elements: readonly (readonly [type: number, data: Uint8Array])[]): Uint8Array {
  const header = Buffer.alloc(128, ' ')
  header.writeUInt16LE(0x100, 124)
  header.write('IM', 126)
  const parts = elements.flatMap(([type, data]) => {
    const tag = Buffer.alloc(8)
    tag.writeUInt32LE(type, 0)
    tag.writeUInt32LE(data.length, 4)
    return [tag, data]
  })
  return new Uint8Array(Buffer.concat([header, ...parts]))
}

describe('readMatFile', () => {
  it.each(['plain', 'packed'] as const)('reads what scipy writes, %s', async (kind) => {
    const text = (text: string) => ({ kind: 'text', text })
    const numbers = (...data: number[]) => ({ kind: 'numbers', data })
    const struct = (label: number, name: string) =>
      new Map<string, unknown>([
        ['class', numbers(label)],
        ['fname', text(name)],
      ])
    expect(Object.fromEntries(await read(bytesOf(written[kind])))).toEqual({
      small: numbers(7),
      wide: numbers(0, 3, 1, 4, 2, 5),
      real: numbers(0.5, -1e300),
      text: text('Audi TTS'),
      cells: { kind: 'cells', cells: [text('ab'), text(''), numbers(1.5, 2)] },
      structs: { kind: 'structs', structs: [struct(3, 'a.jpg'), struct(-300, 'größe.jpg')] },
      empty: numbers(),
      flag: numbers(1, 0),
    })
  })

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['an empty file', new Uint8Array(), /too short/],
    ['another file', new Uint8Array(1000).fill(65), /does not have a MATLAB header/],
    ['MATLAB 7.3', bytesOf(written.plain).fill(2, 125, 126), /another version \(7.3 files are HDF5\)/],
    ['a length beyond the file', matFile([14, new Uint8Array(8)]).fill(9, 133, 134), /it is truncated/],
    ['a broken stream', matFile([15, new Uint8Array(40).fill(7)]), /cannot be read as a MATLAB level 5 file/],
    ['a zip bomb', matFile([15, deflateSync(new Uint8Array(300 << 20))]), /larger than|maxOutputLength|buffer/i],
  ])('refuses %s', async (_, bytes, message) => {
    const error: unknown = await read(bytes).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(FileError)
    expect(String(error)).toMatch(message)
  })

  it('reads damaged files or refuses them by name, and nothing else', async () => {
    const whole = bytesOf(written.plain)
    const damage = fc.tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length))
    await fc.assert(
      fc.asyncProperty(damage, async ([at, byte, end]) => {
        const bytes = whole.slice(0, end)
        bytes[at] = byte
        const result: unknown = await read(bytes).catch((thrown: unknown) => thrown)
        expect(result instanceof Map || result instanceof FileError).toBe(true)
      }),
      { numRuns: 150 },
    )
  })
})
