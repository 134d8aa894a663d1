import { mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { Graph, matmul, program } from '../graph/index.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { Runtime } from '../runtime/types.ts'
import { inFiles } from './file-slices.ts'
import { fileSource } from './files.ts'
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
async function saved(name: string): Promise<string> {
  const path = join(folder, name)
  const filled = (value: number) => floatTensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(value))
  const tensors = { ones: filled(1), twos: filled(2), small: floatTensor([1]) }
  await writeFile(path, writeSafetensors(new Map(Object.entries(tensors))))
  return path
}

const read = async (path: string, name: string) => (await openSafetensors(await fileSource(path))).readFloat(name)

/** What a program makes of a row of ones and a weight: a sum of its column. */
async function columnOf(weight: FloatTensor): Promise<number | undefined> {
  const graph = new Graph()
  const x = graph.input('x', [1, SIZE])
  const session = await runtime.load(program(graph, { y: matmul(x, graph.weight('w', weight)) }))
  const { y } = await session.run({ x: floatTensor([1, SIZE], new Float32Array(SIZE).fill(1)) })
  await session.dispose()
  return y.data[0]
}

describe('a weight that was read from a file', () => {
  it('is taken from there, not from memory', async () => {
    const path = await saved('plain.safetensors')
    for (const [name, value] of Object.entries({ ones: 1, twos: 2 })) {
      const weight = await read(path, name)
      const { slices } = await inFiles([weight.data])
      expect(slices.get(weight.data)?.file).toBe('plain.safetensors')
      weight.data.fill(0) // nobody does that; it shows where the values come from
      expect(await columnOf(weight)).toBe(value * SIZE)
    }
  })

  it('is taken through a link, as a cache of a hub has them', async () => {
    const path = await saved('blob')
    await mkdir(join(folder, 'snapshot'))
    const link = join(folder, 'snapshot', 'model.safetensors')
    await symlink(path, link)
    const weight = await read(link, 'twos')
    weight.data.fill(0)
    expect(await columnOf(weight)).toBe(2 * SIZE)
  })

  const changes: Readonly<Record<string, (path: string) => Promise<void>>> = {
    'written anew with other values': async (path) => writeFile(path, (await readFile(path)).fill(0, 1000)),
    'replaced by another': async (path) => rename(await saved('other.safetensors'), path),
    'cut off': (path) => truncate(path, 1000),
    deleted: (path) => rm(path),
  }
  it.each(Object.entries(changes))('is taken from memory where the file was %s', async (what, change) => {
    const path = await saved(`${what}.safetensors`)
    const weight = await read(path, 'twos')
    await change(path)
    expect((await inFiles([weight.data])).slices.size).toBe(0)
    expect(await columnOf(weight)).toBe(2 * SIZE)
  })

  it('is not lost where others lie in another folder, or nowhere', async () => {
    await mkdir(join(folder, 'elsewhere'))
    const own = floatTensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(3))
    const weights = [
      await read(await saved('here.safetensors'), 'ones'),
      await read(await saved('elsewhere/there.safetensors'), 'twos'),
      own,
    ]
    const graph = new Graph()
    const x = graph.input('x', [1, SIZE])
    const [a = x, b = x, c = x] = weights.map((weight, i) => matmul(x, graph.weight(`w${i}`, weight)))
    const session = await runtime.load(program(graph, { a, b, c }))
    const found = await session.run({ x: floatTensor([1, SIZE], new Float32Array(SIZE).fill(1)) })
    expect([found.a, found.b, found.c].map(({ data }) => data[0])).toEqual([SIZE, 2 * SIZE, 3 * SIZE])
    await session.dispose()
  })
})
