import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { floatTensor, intTensor, type Tensor } from '../graph/tensor.ts'
import { bytesSource, openSafetensors, writeSafetensors } from './safetensors.ts'

/** A file with this header text, or header object, and so many zero bytes of data. */
function fileOf(header: unknown, dataLength: number, statedLength?: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(statedLength ?? text.length), true)
  bytes.set(text, 8)
  return bytes
}

const open = (bytes: Uint8Array) => openSafetensors(bytesSource('x.safetensors', bytes))

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

describe('hostile files', () => {
  const cases: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
    ['empty', new Uint8Array(0), /too few for a header/],
    ['header longer than the file', fileOf({}, 0, 500), /header of 500 bytes, but the whole file has 10/],
    ['absurd header', fileOf({}, 0, 2 ** 52), /limit 100 MB/],
    ['not JSON', fileOf('{"a":', 0), /not valid JSON/],
    ['not UTF-8', Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /not UTF-8/],
    ['not an object', fileOf('[1]', 0), /not a JSON object/],
    ['entry is no object', fileOf({ a: 3 }, 0), /"a".*not an object/],
    [
      'same key twice',
      fileOf(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        1,
      ),
      /"a" appears twice/,
    ],
    ['same key twice by an escape', fileOf('{"a":1,"\\u0061":1}', 0), /"a" appears twice/],
    ['offsets after the end', fileOf({ a: entry('F32', [2], 0, 8) }, 4), /"a" ends 4 bytes after the end/],
    ['overlap', fileOf({ a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) }, 8), /"b" overlaps/],
    [
      'hole',
      fileOf({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }, 12),
      /gap of 4 bytes before tensor "b"/,
    ],
    ['rest at the end', fileOf({ a: entry('F32', [1], 0, 4) }, 6), /2 bytes at its end/],
    ['size is not shape x dtype', fileOf({ a: entry('F32', [3], 0, 8) }, 8), /takes 12 bytes, but its offsets span 8/],
    ['backward offsets', fileOf({ a: entry('F32', [1], 4, 0) }, 4), /offsets span -4/],
    ['unknown dtype', fileOf({ a: entry('F9', [4], 0, 4) }, 4), /"F9" is not one of the format's/],
    ['size of a type that is not read', fileOf({ a: entry('F8_E4M3', [4], 0, 5) }, 5), /takes 4 bytes/],
    ['dtype from the prototype', fileOf({ a: entry('toString', [4], 0, 4) }, 4), /"toString" is not one of/],
    ['negative shape', fileOf({ a: entry('F32', [-1, -1], 0, 4) }, 4), /shape \[-1,-1\]/],
    ['fractional shape', fileOf({ a: entry('F32', [0.5, 2], 0, 4) }, 4), /shape/],
    ['huge shape', fileOf({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), /offsets span 4/],
    ['one offset', fileOf({ a: { dtype: 'U8', shape: [1], data_offsets: [1] } }, 1), /data_offsets/],
    ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }, 0), /__metadata__ entry "a"/],
    [
      'nested without end',
      fileOf(`{"a":{"dtype":"U8","shape":${'['.repeat(9e4)}${']'.repeat(9e4)},"data_offsets":[0,1]}}`, 1),
      /shape nested too deeply|shape/,
    ],
  ]
  it.each(cases)('%s', async (_, bytes, message) => {
    const opening = open(bytes)
    await expect(opening).rejects.toThrow(FileError)
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.toThrow('x.safetensors')
  })

  it('is refused wherever it is cut', async () => {
    const whole = writeSafetensors(
      new Map([
        ['a', floatTensor([2, 3])],
        ['b', floatTensor([1])],
      ]),
    )
    for (let length = 0; length < whole.length; length++) {
      await expect(open(whole.subarray(0, length)), `cut to ${length}`).rejects.toThrow(FileError)
    }
  })

  it('never fails otherwise than with FileError on damaged bytes', async () => {
    const whole = writeSafetensors(
      new Map<string, Tensor>([
        ['a', floatTensor([2, 3])],
        ['b', intTensor([1], [7])],
      ]),
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
        const bytes = whole.slice()
        bytes[at] = value
        const error = await open(bytes).then(
          () => undefined,
          (cause: unknown) => cause,
        )
        expect(error === undefined || error instanceof FileError).toBe(true)
      }),
    )
  })

  it('takes __proto__ for an ordinary name', async () => {
    const file = await open(fileOf('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1))
    expect([...file.entries.keys()]).toEqual(['__proto__'])
  })
})

describe('reading', () => {
  it('turns every type of float into float32', async () => {
    const values = [1.5, -0.25, 2, -1024]
    const f64 = new Uint8Array(Float64Array.from(values).buffer)
    const f32 = new Uint8Array(Float32Array.from(values).buffer)
    const f16 = new Uint8Array(Uint16Array.from([0x3e00, 0xb400, 0x4000, 0xe400]).buffer)
    const bf16 = new Uint8Array(Uint16Array.from([0x3fc0, 0xbe80, 0x4000, 0xc480]).buffer)
    for (const [dtype, data] of Object.entries({ F64: f64, F32: f32, F16: f16, BF16: bf16 })) {
      const bytes = fileOf({ a: entry(dtype, [2, 2], 0, data.length) }, data.length)
      bytes.set(data, bytes.length - data.length)
      const tensor = await (await open(bytes)).readFloat('a')
      expect(tensor.shape, dtype).toEqual([2, 2])
      expect([...tensor.data], dtype).toEqual(values)
    }
  })

  it('turns every type of integer into int64', async () => {
    const types = {
      I64: BigInt64Array.of(1n, -2n),
      I32: Int32Array.of(1, -2),
      I16: Int16Array.of(1, -2),
      I8: Int8Array.of(1, -2),
    }
    for (const [dtype, values] of Object.entries(types)) {
      const data = new Uint8Array(values.buffer)
      const bytes = fileOf({ a: entry(dtype, [2], 0, data.length) }, data.length)
      bytes.set(data, bytes.length - data.length)
      expect([...(await (await open(bytes)).readInt('a')).data], dtype).toEqual([1n, -2n])
    }
  })

  it('says which tensor has the wrong type or is missing', async () => {
    const file = await open(writeSafetensors(new Map([['n', intTensor([1], [3])]])))
    await expect(file.readFloat('n')).rejects.toThrow(/"n" holds I64, expected floating-point/)
    await expect(file.readFloat('m')).rejects.toThrow(/no tensor "m"/)
  })

  it('notices a source that gives fewer bytes than it promised', async () => {
    const bytes = writeSafetensors(new Map([['a', floatTensor([100])]]))
    const source = {
      name: 'shrunk',
      size: bytes.length,
      read: async (from: number, n: number) => bytes.subarray(0, 300).subarray(from, from + n),
    }
    const file = await openSafetensors(source)
    await expect(file.readFloat('a')).rejects.toThrow(/instead of 400/)
  })
})

describe('writing', () => {
  const tensors = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== '__metadata__'),
    fc.float32Array({ maxLength: 9, noNaN: true }),
    { maxKeys: 5 },
  )

  it('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, async (values) => {
        const written = new Map(Object.entries(values).map(([name, data]) => [name, floatTensor([data.length], data)]))
        const bytes = writeSafetensors(written, { note: 'ö' })
        expect(bytes.length - [...written.values()].reduce((sum, { data }) => sum + data.byteLength, 0)).toSatisfy(
          (n: number) => n % 8 === 0,
        )
        const file = await open(bytes)
        expect(file.metadata).toEqual(new Map([['note', 'ö']]))
        expect([...file.entries.keys()].sort()).toEqual([...written.keys()].sort())
        for (const [name, tensor] of written) expect((await file.readFloat(name)).data).toEqual(tensor.data)
      }),
    )
  })

  it('does not depend on the order of tensors', () => {
    const [a, b] = [floatTensor([1]), floatTensor([2])]
    expect(
      writeSafetensors(
        new Map([
          ['a', a],
          ['b', b],
        ]),
      ),
    ).toEqual(
      writeSafetensors(
        new Map([
          ['b', b],
          ['a', a],
        ]),
      ),
    )
  })

  it('refuses a value that float16 cannot hold', () => {
    const large = new Map([['w', floatTensor([2], Float32Array.of(1, 70000))]])
    expect(() => writeSafetensors(large, {}, { dtype: 'float16' })).toThrow(/"w" has the value 70000/)
  })
})

it('types that are not read do not make a file invalid; only their values cannot be had', async () => {
  const types = { F8_E4M3: 1, F8_E5M2: 1, U16: 2, U32: 4, U64: 8, C64: 8 }
  let end = 0
  const header = Object.fromEntries(
    Object.entries(types).map(([type, bytes]) => {
      const begin = end
      end += 2 * bytes
      return [type, entry(type, [2], begin, end)]
    }),
  )
  const four = entry('F4', [3, 2], end, end + 3)
  const file = await open(fileOf({ ...header, F4: four, a: entry('U8', [1], end + 3, end + 4) }, end + 4))
  expect((await file.readInt('a')).shape).toEqual([1])
  for (const type of [...Object.keys(types), 'F4']) {
    await expect(file.readFloat(type)).rejects.toThrow(
      new RegExp(`"${type}" is of type ${type}, which is not supported`),
    )
  }
})
