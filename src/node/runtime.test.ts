import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CoopError, ShapeError, UsageError } from '../base/errors.ts'
import { apply } from '../graph/graph.ts'
import {
  add,
  floatTensor,
  Graph,
  gather,
  gradients,
  intTensor,
  matmul,
  mul,
  program,
  scatterAdd,
  softmax,
  sumSquares,
} from '../graph/index.ts'
import { sharedFloats } from '../graph/tensor.ts'
import { openRuntime } from '../runtime/client.ts'
import { DEVICES, type Runtime } from '../runtime/types.ts'
import { randomTensor } from '../testing/engine.ts'
import { nodeRuntime, workerPort } from './runtime.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 2 })
})
afterAll(() => runtime.close())

/** y = x x + x for two numbers. */
function small() {
  const graph = new Graph()
  const x = graph.input('x', [2])
  return program(graph, { y: add(mul(x, x), x) })
}

const pair = (a: number, b: number) => floatTensor([2], Float32Array.of(a, b))

/** A chain of matrix products that takes some tenths of a second; its input `(side, side)`. */
function long(side = 512, count = 40) {
  const graph = new Graph()
  const x = graph.input('x', [side, side])
  let y = x
  for (let i = 0; i < count; i++) y = matmul(y, x)
  return program(graph, { y })
}

describe('running programs', () => {
  it('gives outputs by name', async () => {
    const session = await runtime.load(small())
    expect(await session.run({ x: pair(2, -3) })).toEqual({ y: pair(6, 6) })
    await session.dispose()
  })

  it.each<[string, Parameters<Awaited<ReturnType<Runtime['load']>>['run']>[0], string]>([
    ['missing', {}, 'the input x is not fed'],
    ['unknown', { x: pair(1, 2), z: pair(1, 2) }, 'the program has no input z; it has x'],
    ['misshapen', { x: floatTensor([1, 2]) }, 'input x is float32 (2), fed float32 (1, 2)'],
    ['of another type', { x: intTensor([2], [1, 2]) }, 'input x is float32 (2), fed int64 (2)'],
    [
      'shorter than its shape',
      { x: { ...pair(1, 2), data: Float32Array.of(1) } },
      'input x: (2) does not hold 1 values',
    ],
  ])('refuses a feed that is %s', async (_, feeds, message) => {
    const session = await runtime.load(small())
    await expect(session.run(feeds)).rejects.toThrow(new ShapeError(message))
    await session.dispose()
  })

  it('leaves feeds as they are, views of larger and of shared buffers too', async () => {
    const session = await runtime.load(small())
    const view = Float32Array.of(9, 9, 2, -3, 9).subarray(2, 4)
    const shared = sharedFloats(2)
    shared.set([2, -3])
    for (const data of [Float32Array.of(2, -3), view, shared]) {
      expect(await session.run({ x: { dtype: 'float32', shape: [2], data } })).toEqual({ y: pair(6, 6) })
      expect(data).toEqual(Float32Array.of(2, -3))
    }
    await session.dispose()
  })

  it.each([20, 20_000])('with %d numbers: feeds stay, outputs own their memory, runs may wait', async (n) => {
    const x = new Graph().input('x', [n])
    const session = await runtime.load(program(x.graph, { y: add(x, x) }))
    const feed = randomTensor([n], 1)
    const outputs = await Promise.all([1, 2, 3].map(() => session.run({ x: feed })))
    expect(feed).toEqual(randomTensor([n], 1))
    for (const { y } of outputs) {
      expect(y.data).toEqual(feed.data.map((value) => 2 * value))
      expect(y.data.buffer.byteLength).toBe(4 * n)
    }
    await session.dispose()
  })

  it('keeps two sessions apart when their runs interleave', async () => {
    const graph = new Graph()
    const double = program(graph, { y: add(graph.input('x', [2]), graph.input('x2', [2])) })
    const [a, b] = await Promise.all([runtime.load(small()), runtime.load(double)])
    const results = await Promise.all(
      [1, 2, 3].flatMap((i) => [a.run({ x: pair(i, -i) }), b.run({ x: pair(i, 0), x2: pair(0, i) })]),
    )
    expect(results.map(({ y }) => [...y.data])).toEqual([
      [2, 0],
      [1, 1],
      [6, 2],
      [2, 2],
      [12, 6],
      [3, 3],
    ])
    await Promise.all([a.dispose(), b.dispose()])
  })

  it('says so when a session is disposed, or the runtime closed', async () => {
    const session = await runtime.load(small())
    await session.dispose()
    await session.dispose()
    await expect(session.run({ x: pair(1, 2) })).rejects.toThrow(/^the session is disposed/)

    const other = await nodeRuntime({ threads: 1 })
    const closed = await other.load(small())
    await other.close()
    await other.close()
    await expect(closed.run({ x: pair(1, 2) })).rejects.toThrow('the runtime has ended: it was closed')
    await expect(other.load(small())).rejects.toThrow(CoopError)
  })

  it('leaves the event loop free while a long program runs', async () => {
    const session = await runtime.load(long())
    const order: string[] = []
    const running = session.run({ x: floatTensor([512, 512]) }).then(() => order.push('result'))
    await new Promise((resolve) => setImmediate(resolve)) // comes late where a run holds the thread
    order.push('turn of the event loop')
    await running
    expect(order).toEqual(['turn of the event loop', 'result'])
    await session.dispose()
  })

  it('gives the same bits in every run and every session, on several threads', async () => {
    const graph = new Graph()
    const x = graph.input('x', [100, 64])
    const h = softmax(matmul(x, x, { transB: true, alpha: 0.1 }))
    const [dx = x] = gradients(sumSquares(matmul(h, x), [0, 1]), [x])
    const feeds = { x: randomTensor([100, 64], 1) }
    const results = []
    for (const _ of [1, 2]) {
      const session = await runtime.load(program(graph, { dx }))
      results.push(await session.run(feeds), await session.run(feeds))
      await session.dispose()
    }
    for (const result of results) expect(result).toEqual(results[0])
  })

  it('adds many updates to one row without losing any, on several threads', async () => {
    const [n, width] = [20_000, 64]
    const graph = new Graph()
    const indices = graph.constant(
      intTensor(
        [n],
        Array.from({ length: n }, (_, i) => i % 2),
      ),
    )
    const session = await runtime.load(
      program(graph, { y: scatterAdd([2, width], indices, graph.input('u', [n, width])) }),
    )
    for (let i = 0; i < 5; i++) {
      const { y } = await session.run({ u: floatTensor([n, width], new Float32Array(n * width).fill(1)) })
      expect([...new Set(y.data)]).toEqual([n / 2])
    }
    await session.dispose()
  })
})

describe('weights', () => {
  it('give the same in shared memory, in memory of their own, and as a view', async () => {
    const tensors = [sharedFloats(300), new Float32Array(300), new Float32Array(400).subarray(50, 350)]
    for (const data of tensors) {
      data.set(Float32Array.from(data, (_, i) => i % 7))
      const graph = new Graph()
      const w = graph.weight('w', floatTensor([300], data))
      const session = await runtime.load(program(graph, { y: mul(w, graph.input('x', [1])) }))
      const { y } = await session.run({ x: floatTensor([1], Float32Array.of(2)) })
      expect([...y.data]).toEqual(Array.from({ length: 300 }, (_, i) => 2 * (i % 7)))
      await session.dispose()
    }
  })

  it('in shared memory are seen by the worker where they are, others as a copy', async () => {
    const code = `const { parentPort } = require('node:worker_threads')
      parentPort.on('message', ({ id, weights = [] }) => {
        for (const { data } of weights) data.fill(1)
        parentPort.postMessage({ id, outputs: {} })
      })`
    const other = await openRuntime(workerPort(new Worker(code, { eval: true })), { threads: 1 })
    const [shared, own] = [sharedFloats(300), new Float32Array(300)]
    const graph = new Graph()
    const sum = add(graph.weight('shared', floatTensor([300], shared)), graph.weight('own', floatTensor([300], own)))
    await other.load(program(graph, { sum }))
    expect(new Uint8Array(shared.buffer)).toEqual(new Uint8Array(1200).fill(1))
    expect(own).toEqual(new Float32Array(300))
    await other.close()
  })
})

describe('failures come back as errors', () => {
  it('when ONNX Runtime refuses a program, and the runtime goes on', async () => {
    const graph = new Graph()
    const unheardOf = apply('Unheard', [graph.input('x', [2])], [2], 'none')
    await expect(runtime.load(program(graph, { y: unheardOf }))).rejects.toThrow(/ONNX Runtime: .*Unheard/)
    const session = await runtime.load(small())
    expect(await session.run({ x: pair(1, 1) })).toEqual({ y: pair(2, 2) })
    await session.dispose()
  })

  it('when a run fails, and the session goes on', async () => {
    const graph = new Graph()
    const table = graph.constant(pair(5, 6))
    const session = await runtime.load(program(graph, { y: gather(table, graph.input('i', [1], 'int64')) }))
    await expect(session.run({ i: intTensor([1], [7]) })).rejects.toThrow(/ONNX Runtime: .*out of/)
    expect(await session.run({ i: intTensor([1], [1]) })).toEqual({ y: floatTensor([1], Float32Array.of(6)) })
    await session.dispose()
  })

  it.each([
    ['throws', 'throw new Error("out of memory")', 'out of memory'],
    ['leaves', 'process.exit(3)', 'its worker exited with status 3'],
  ])('when the worker %s: every run that waits, and every later one', async (_, crash, reason) => {
    const code = `const { parentPort } = require('node:worker_threads')
      parentPort.on('message', ({ id, kind }) => {
        if (kind === 'run') { ${crash} }
        parentPort.postMessage({ id, outputs: {} })
      })`
    const broken = await openRuntime(workerPort(new Worker(code, { eval: true })), { threads: 1 })
    const session = await broken.load(small())
    const runs = [session.run({ x: pair(1, 2) }), session.run({ x: pair(1, 2) })]
    const expected = { status: 'rejected', reason: { message: `the runtime has ended: ${reason}` } }
    expect(await Promise.allSettled(runs)).toMatchObject([expected, expected])
    await broken.close()
    await expect(session.run({ x: pair(1, 2) })).rejects.toThrow(reason)
  })

  it('when a run gives fewer outputs than the program has', async () => {
    const code = `const { parentPort } = require('node:worker_threads')
      const outputs = { y: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } }
      parentPort.on('message', ({ id }) => parentPort.postMessage({ id, outputs }))`
    const other = await openRuntime(workerPort(new Worker(code, { eval: true })), { threads: 1 })
    const x = new Graph().input('x', [2])
    const session = await other.load(program(x.graph, { y: x, twice: add(x, x), z: mul(x, x) }))
    await expect(session.run({ x: pair(1, 2) })).rejects.toThrow('a run gave no output twice, z')
    await other.close()
  })

  it('when the runtime is closed under runs: the first is finished, those that wait are refused', async () => {
    const other = await nodeRuntime({ threads: 1 })
    const session = await other.load(long())
    const x = floatTensor([512, 512])
    const runs = Promise.allSettled([session.run({ x }), session.run({ x }), session.run({ x }), session.run({ x })])
    await new Promise((resolve) => setTimeout(resolve, 50))
    await other.close()
    const results = await runs
    expect(results.at(0)).toMatchObject({ status: 'fulfilled' })
    expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { message: /ended: it was closed/ } })
  })

  it.each([0, -1, 1.5, Number.NaN])('when %s threads are asked for', async (threads) => {
    await expect(nodeRuntime({ threads })).rejects.toThrow(UsageError)
  })
})

describe('devices', () => {
  it.each(DEVICES)('%s runs, or is refused in plain words; auto takes what there is', async (device) => {
    const opening = nodeRuntime({ device, threads: 1 })
    if (device === 'cuda' || device === 'webgpu') {
      const refusal = await opening.then(
        () => undefined,
        (error: unknown) => error,
      )
      if (refusal !== undefined) {
        if (!(refusal instanceof CoopError)) throw refusal
        const { message, remedy } = refusal
        expect(message).toMatch(`the device ${device} cannot be used here: it needs `)
        expect(`${message} ${remedy}`).not.toMatch(/onnxruntime_|\.cc|provider|\/build\//)
        expect(remedy).toContain('auto for whichever is there')
        return
      }
    }
    const other = await opening
    const session = await other.load(small())
    const { y } = await session.run({ x: pair(2, -3) })
    expect(y.data).toEqual(Float32Array.of(6, 6))
    expect(other.note).toBe(
      device === 'auto' && other.device === 'cpu' ? 'no graphics card can be used: running on the CPU' : undefined,
    )
    await other.close()
  })
})

describe('the life of a process', () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const prepare = `
    import { Graph, floatTensor, matmul, program } from ${url('../graph/index.ts')}
    import { nodeRuntime } from ${url('./runtime.ts')}
    const graph = new Graph()
    let y = graph.input('x', [256, 256])
    for (let i = 0; i < 200; i++) y = matmul(y, y)
    const runtime = await nodeRuntime({ threads: 1 })
    const session = await runtime.load(program(graph, { y }))
    const work = session.run({ x: floatTensor([256, 256]) }).then(({ y }) => console.log('finished', y.shape.join()))`

  async function child(code: string) {
    const args = ['--import', 'tsx', '--input-type=module', '-e', code]
    const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 50_000 })
    let output = ''
    for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (text) => (output += text))
    const [status] = await once(process_, 'close')
    return { status, output }
  }

  it('lasts while a run is unfinished, and not for an idle runtime', async () => {
    expect(await child(prepare)).toEqual({ status: 0, output: 'finished 256,256\n' })
  })

  it('ends after close', async () => {
    const close = 'await work; await runtime.close(); await new Promise((resolve) => setTimeout(resolve, 10))'
    expect(await child(`${prepare}; ${close}`)).toEqual({ status: 0, output: 'finished 256,256\n' })
  })

  it('keeps its exit status when it leaves or fails in the middle of a run', async () => {
    const midway = 'await new Promise((resolve) => setTimeout(resolve, 20))'
    expect(await child(`${prepare}; ${midway}; process.exit(5)`)).toEqual({ status: 5, output: '' })
    expect(await child(`${prepare}; ${midway}; throw new Error('no')`)).toMatchObject({ status: 1 })
  })
})
