import { expect, it } from 'vitest'
import { add, Graph, program } from '../graph/index.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { Runtime, Session } from '../runtime/types.ts'
import { engine } from '../testing/engine.ts'
import { fastestOf } from './fastest.ts'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The engine of the tests as a device whose runs take longer. */
function slowed(device: Runtime['device'], ms: number): Runtime {
  return {
    device,
    async load(p) {
      const session = await engine.load(p)
      const run: typeof session.run = async (feeds) => {
        await wait(ms)
        return session.run(feeds)
      }
      return { run, dispose: session.dispose }
    },
    loadOnnx: (file) => engine.loadOnnx(file),
    close: async () => {},
  }
}

function doubling() {
  const graph = new Graph()
  const x = graph.input('x', [2])
  return program(graph, { y: add(x, x) })
}

/** Runs until the devices have been compared, or a while. */
async function doubled(runtime: Runtime, session: Session<'y'>): Promise<number[][]> {
  const results: number[][] = []
  for (let i = 0; i < 100 && !runtime.note?.includes('ms'); i++) {
    const { y } = await session.run({ x: floatTensor([2], Float32Array.of(i, 1)) })
    results.push(Array.from(y.data))
    await wait(5)
  }
  return results
}

it.each([
  { first: 60, second: 1, device: 'webgpu', taken: 'GPU' },
  { first: 1, second: 60, device: 'cpu', taken: 'wasm' },
] as const)('auto stays with the faster: $first ms against $second ms', async ({ first, second, device, taken }) => {
  const runtime = fastestOf(slowed('cpu', first), async () => slowed('webgpu', second), ['wasm', 'GPU'])
  const session = await runtime.load(doubling())
  const results = await doubled(runtime, session)
  expect(runtime.note).toMatch(new RegExp(`^${taken}: a step takes .* ms on wasm, .* ms on GPU$`))
  expect(runtime.device).toBe(device)
  expect(results).toEqual(results.map((_, i) => [2 * i, 2]))
  await session.dispose()
  await runtime.close()
})

it('auto goes on where the second device cannot be had, and says why', async () => {
  const refused = async (): Promise<Runtime> => {
    throw new Error('no adapter')
  }
  const runtime = fastestOf(slowed('cpu', 1), refused, ['wasm', 'GPU'])
  const session = await runtime.load(doubling())
  for (let i = 0; i < 6; i++) await session.run({ x: floatTensor([2]) })
  expect(runtime.note).toBe('wasm; GPU cannot be used: no adapter')
  expect(runtime.device).toBe('cpu')
  await session.dispose()
})
