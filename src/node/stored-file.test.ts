import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { loadClip } from '../clip/load.ts'
import { fingerprintOf } from '../clip/weights/fingerprint.ts'
import { openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { concat, Graph, matmul, program, slice } from '../graph/index.ts'
import { type FloatTensor, floatTensor, storedTensor, valuesOf } from '../graph/tensor.ts'
import type { Runtime } from '../runtime/types.ts'
import { fileSource, folderModelFiles } from './files.ts'
import { bundledModel } from './package.ts'
import { nodeRuntime } from './runtime.ts'

const SIZE = 512
let folder: string
let runtime: Runtime

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-slices-'))
  runtime = await nodeRuntime({ threads: 1 })
})

afterAll(async () => {
  await runtime.close()
  await rm(folder, { recursive: true })
})

/** Two large matrices, of ones and of twos, in a file. */
async function saved(name: string, dtype: 'float32' | 'float16' = 'float32'): Promise<string> {
  const path = join(folder, name)
  const filled = (value: number) => floatTensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(value))
  const tensors = { ones: filled(1), twos: filled(2), small: floatTensor([1]) }
  await writeFile(path, writeSafetensors(new Map(Object.entries(tensors)), {}, { dtype }))
  return path
}

async function stored(path: string, name: string): Promise<FloatTensor> {
  const values = (await openSafetensors(await fileSource(path))).stored(name)
  if (values === undefined) throw new Error('a file can be read later')
  return storedTensor([SIZE, SIZE], values)
}

/** The same, whose values in memory are others than those of the file: zeros. */
async function zeroed(path: string, name: string): Promise<FloatTensor> {
  const tensor = await stored(path, name)
  tensor.data.fill(0)
  return tensor
}

const ONES = floatTensor([1, SIZE], new Float32Array(SIZE).fill(1))

/** What a program makes of a row of ones and weights: a sum of a column of each. */
async function columnsOf(...weights: readonly FloatTensor[]): Promise<number[]> {
  const graph = new Graph()
  const x = graph.input('x', [1, SIZE])
  const columns = weights.map((weight, i) => slice(matmul(x, graph.weight(`w${i}`, weight)), 1, 0, 1))
  const session = await runtime.load(program(graph, { y: concat(columns, 1) }))
  const { y } = await session.run({ x: ONES })
  await session.dispose()
  return [...y.data]
}

describe('a weight that is stored', () => {
  it.each(['float32', 'float16'] as const)('in %s is taken from its file, not from memory', async (dtype) => {
    const path = await saved(`${dtype}.safetensors`, dtype)
    const own = floatTensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(3))
    const found = await columnsOf(await zeroed(path, 'ones'), own, await zeroed(path, 'twos'))
    expect(found).toEqual([SIZE, 3 * SIZE, 2 * SIZE])
  })

  it.each(['float32', 'float16'] as const)('in %s is read where it is asked for', async (dtype) => {
    const twos = await stored(await saved(`read-${dtype}.safetensors`, dtype), 'twos')
    expect(valuesOf(twos, 5, 8)).toEqual(Float32Array.of(2, 2, 2))
    expect(twos.data).toEqual(new Float32Array(SIZE * SIZE).fill(2))
    expect(valuesOf(twos, 5, 8)).toEqual(Float32Array.of(2, 2, 2))
  })

  it('is taken through a link, as a cache of a hub has them', async () => {
    const path = await saved('blob')
    await mkdir(join(folder, 'snapshot'))
    const link = join(folder, 'snapshot', 'model.safetensors')
    await symlink(path, link)
    expect(await columnsOf(await zeroed(link, 'twos'))).toEqual([2 * SIZE])
  })

  const changes: Readonly<Record<string, (path: string) => Promise<void>>> = {
    'written anew with other values': async (path) => writeFile(path, (await readFile(path)).fill(0, 1000)),
    'replaced by another': async (path) => rename(await saved('other.safetensors'), path),
    'cut off': (path) => truncate(path, 1000),
    deleted: (path) => rm(path),
  }
  it.each(Object.entries(changes))(
    'is refused where the file was %s, unless it was read before',
    async (what, change) => {
      const path = await saved(`${what}.safetensors`)
      const [before, after] = [await stored(path, 'twos'), await stored(path, 'twos')]
      expect(before.data[0]).toBe(2)
      await change(path)
      expect(await columnsOf(before)).toEqual([2 * SIZE])
      await expect(columnsOf(after)).rejects.toThrow(FileError)
      await expect(columnsOf(after)).rejects.toThrow('was changed or removed while it was in use')
    },
  )

  it('is the same after its rights were changed', async () => {
    const path = await saved('rights.safetensors')
    const tensor = await stored(path, 'twos')
    await sleep(20)
    await chmod(path, 0o600)
    expect(await columnsOf(tensor)).toEqual([2 * SIZE])
  })

  it('is not lost where others lie in another folder, or nowhere', async () => {
    await mkdir(join(folder, 'elsewhere'))
    const weights = [
      await stored(await saved('here.safetensors'), 'ones'),
      await stored(await saved('elsewhere/there.safetensors'), 'twos'),
      floatTensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(3)),
    ]
    expect(await columnsOf(...weights)).toEqual([SIZE, 2 * SIZE, 3 * SIZE])
  })

  it('of a model is that of the model in memory: fingerprint, values, and what is no number', async () => {
    const bundled = await loadClip(folderModelFiles(bundledModel()))
    const inMemory = new Map(Array.from(bundled.weights, ([name, { shape, data }]) => [name, floatTensor(shape, data)]))
    expect(bundled.fingerprint).toBe(await fingerprintOf(bundled.config, inMemory))
    const model = join(folder, 'model')
    await cp(bundledModel(), model, { recursive: true })
    const file = (await readdir(model)).find((name) => name.endsWith('.safetensors')) ?? ''
    const bytes = await readFile(join(model, file))
    bytes.fill(0xff, bytes.length - 8)
    await writeFile(join(model, file), bytes)
    await expect(loadClip(folderModelFiles(model))).rejects.toThrow('not finite numbers')
  })
})
