import { createHash } from 'node:crypto'
import { readClassWeights, writeClassWeights } from '../../src/exports/class-weights.ts'
import { readNpyMatrix, writeNpy } from '../../src/formats/npy.ts'
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts'
import { HASH } from '../../src/formats/sealed.ts'
import { itemOf, namedTensors, openTorchFile, tensorFile } from '../../src/formats/torch-file/index.ts'
import { TORCH } from '../../src/formats/torch-file/meanings.ts'
import { readPickle } from '../../src/formats/torch-file/pickle.ts'
import { openZip } from '../../src/formats/torch-file/zip.ts'
import { type FloatTensor, floatTensor, type IntTensor, intTensor } from '../../src/graph/tensor.ts'
import { readOfficialCheckpoint } from '../../src/prompt/official-checkpoint.ts'
import { gunzipped, zipOf } from '../../src/testing/torch-files.ts'
import type { Shell } from './mutate.ts'
import { encode, type Reader, source } from './reader.ts'

/** The header of a safetensors file, its length set anew. */
export const safetensorsHeader: Shell = {
  open: (whole) => (whole.length < 8 ? undefined : whole.slice(8, 8 + headerLength(whole))),
  close(whole, inner) {
    const bytes = new Uint8Array(8 + inner.length + Math.max(0, whole.length - 8 - headerLength(whole)))
    new DataView(bytes.buffer).setBigUint64(0, BigInt(inner.length), true)
    bytes.set(inner, 8)
    bytes.set(whole.subarray(8 + headerLength(whole)), 8 + inner.length)
    return bytes
  },
}
const headerLength = (whole: Uint8Array) => new DataView(whole.buffer, whole.byteOffset).getUint32(0, true)

/** The header of a sealed safetensors file, its hash made anew as well. */
export const sealedHeader: Shell = {
  open: safetensorsHeader.open,
  async close(whole, inner) {
    const bytes = await safetensorsHeader.close(whole, inner)
    const mark = `"${HASH}":"`
    const at = Buffer.from(bytes.buffer).indexOf(mark)
    const seal =
      at < 0
        ? new Uint8Array()
        : bytes.subarray(at + mark.length, Math.min(at + mark.length + 64, 8 + headerLength(bytes)))
    seal.fill(0x30)
    seal.set(encode(createHash('sha256').update(bytes).digest('hex')).subarray(0, seal.length))
    return bytes
  },
}

/** The pickle in a zip archive of torch, its checksum and the archive's directory made anew. */
export const pickleInZip: Shell = {
  async open(whole) {
    const zip = await openZip(source(whole)).catch(() => undefined)
    const name = [...(zip?.sizes.keys() ?? [])].find((each) => each.endsWith('data.pkl'))
    return name === undefined ? undefined : zip?.read(name)
  },
  async close(whole, inner) {
    const zip = await openZip(source(whole))
    const names = [...zip.sizes.keys()]
    return zipOf(
      await Promise.all(
        names.map(async (name) => ({ name, data: name.endsWith('data.pkl') ? inner : await zip.read(name) })),
      ),
    )
  },
}

const FORMATS = '../../src/formats/torch-file/fixtures'
const torchSeeds = ['tensors.pt', 'protocol4.pt', 'module.pt'].map((name) => fixture(`${FORMATS}/${name}.gz`))
export const openAiSeed = (): Uint8Array => fixture(`${FORMATS}/openai-vit.pt.gz`)
export const OFFICIAL = ['csc-middle', 'unified-end', 'unified-front', 'cocoop', 'evil-beside', 'evil-ctx', 'legacy']

export const officialSeed = (name: string): Uint8Array =>
  fixture(`../../src/prompt/fixtures/official/${name}.pth.tar.gz`)

function fixture(path: string): Uint8Array {
  return gunzipped(new URL(path, import.meta.url))
}

/** Operations and names of pickles. */
export const PICKLE = [
  '(',
  ')',
  '.',
  '0',
  '2',
  'R',
  'b',
  'o',
  'i',
  'c__builtin__\neval\n',
  'cos\nsystem\n',
  '}',
  ']',
  'e',
  'u',
  's',
  'q\0',
  'h\0',
  'Q',
  '\x86',
  '\x93',
  '\x80\x04',
  '\x95\xff\xff\xff\xff\xff\xff\xff\x7f',
  '\x8a\xff',
  'X\xff\xff\xff\x7f',
  'J\xff\xff\xff\xff',
  '__proto__',
  'torch',
]

async function readTorch(input: Uint8Array): Promise<void> {
  const file = await openTorchFile(source(input))
  const tensors = tensorFile(file, namedTensors(file, itemOf(file.root, 'state_dict') ?? file.root))
  for (const [name, { dtype }] of tensors.entries) if (/^B?F/.test(dtype)) await tensors.readFloat(name)
}

const WEIGHTS = floatTensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))

export const tensorReaders: readonly Reader[] = [
  {
    name: 'safetensors',
    shell: safetensorsHeader,
    prepare: () => ({
      seeds: (['float32', 'float16'] as const).map((dtype) =>
        writeSafetensors(
          new Map<string, FloatTensor | IntTensor>([
            ['weight', floatTensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))],
            ['bias', floatTensor([3])],
            ['scale', floatTensor([])],
            ['count', intTensor([2], [1, 2])],
          ]),
          { format: 'pt' },
          { dtype },
        ),
      ),
      async read(input) {
        const file = await openSafetensors(source(input))
        for (const [name, { dtype }] of file.entries)
          await (/^B?F/.test(dtype) ? file.readFloat(name) : file.readInt(name))
      },
    }),
  },
  {
    name: 'class weights',
    shell: safetensorsHeader,
    prepare: () => ({
      seeds: [writeClassWeights({ weights: WEIGHTS, labels: ['a', 'b'], about: { logit_scale: 100, exif: 'turn' } })],
      read: (input) => readClassWeights(source(input)),
    }),
  },
  {
    name: 'npy',
    words: ["'descr'", '<f2', '<f8', '>f4', '|O', 'True', '(2, 3)', '(999999999, 999999999)', '(0, 0)'],
    prepare: () => ({ seeds: [writeNpy(WEIGHTS)], read: (input) => readNpyMatrix('INPUT', input) }),
  },
  {
    name: 'torch file',
    words: PICKLE,
    shell: pickleInZip,
    prepare: () => ({
      seeds: [...torchSeeds, fixture('../../src/prompt/fixtures/official/legacy.pth.tar.gz')],
      read: readTorch,
    }),
  },
  {
    name: 'pickle',
    words: PICKLE,
    async prepare() {
      const pickles = await Promise.all(torchSeeds.map((seed) => pickleInZip.open(seed)))
      return {
        seeds: pickles.flatMap((seed) => (seed ? [seed] : [])),
        read: (input) => readPickle('INPUT', input, TORCH),
      }
    },
  },
  {
    name: 'official checkpoint',
    words: PICKLE,
    shell: pickleInZip,
    prepare: () => ({
      seeds: OFFICIAL.map(officialSeed),
      read: (input) => readOfficialCheckpoint(source(input)),
    }),
  },
]
