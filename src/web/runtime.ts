import { anObject, checkArguments, checkOptions } from '../base/arguments.ts'
import { CoopError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { checkThreads, openRuntime, type WorkerPort } from '../runtime/client.ts'
import { type Answer, DEVICES, type Runtime, type RuntimeOptions } from '../runtime/types.ts'
import { fastestOf } from './fastest.ts'

const OPTIONS: Readonly<Record<keyof RuntimeOptions, true>> = { device: true, threads: true }

/**
 * ONNX Runtime Web in a worker of this page: `cpu` is WebAssembly with SIMD, with threads where the page is cross-origin
 * isolated, else with one; `webgpu` is the graphics card. `auto` (default) has both where there is a card: it tries each
 * program that runs often on both and keeps the faster one. `note` says what was taken, and why.
 *
 * @throws UsageError when `threads` is not a whole number from 1 up, or there is no such device
 * @throws CoopError when ONNX Runtime cannot be loaded, or the browser has no WebGPU
 */
export async function webRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  checkOptions('webRuntime', options, Object.keys(OPTIONS))
  checkArguments('webRuntime', { options }, { options: anObject })
  const { device = 'auto', threads = defaultThreads() } = options
  checkThreads(threads)
  if (device === 'cuda') {
    throw new UsageError('there is no device "cuda" in a page', 'the devices of a page are cpu, webgpu and auto')
  }
  if (!DEVICES.includes(device)) {
    throw new UsageError(
      `there is no device ${JSON.stringify(device)}`,
      'the devices of a page are cpu, webgpu and auto',
    )
  }
  if (device === 'webgpu') {
    const lack = await lackOfWebGpu()
    if (lack !== undefined)
      throw new CoopError(lack, 'use the device cpu (WebAssembly), or auto for whichever is there')
    return opened('webgpu', threads)
  }
  const wasm = await opened('cpu', threads)
  const lack = device === 'auto' ? await lackOfWebGpu() : undefined
  if (device === 'cpu' || lack !== undefined) return noted(wasm, [wasmNote(threads), lack])
  return fastestOf(wasm, () => opened('webgpu', threads), [wasmNote(threads), 'WebGPU'])
}

/** One a core where the page may share memory with threads. */
export function defaultThreads(): number {
  return globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1
}

/** More cost more than they bring: steps are small. */
const MOST_THREADS = 8

const wasmNote = (threads: number) =>
  globalThis.crossOriginIsolated
    ? `WebAssembly, ${threads === 1 ? '1 thread' : `${threads} threads`}`
    : 'WebAssembly, 1 thread: the page is not cross-origin isolated, which threads need'

function noted(runtime: Runtime, notes: readonly (string | undefined)[]): Runtime {
  const note = notes.filter((part) => part !== undefined).join('; ')
  return {
    device: runtime.device,
    note,
    load: (program) => runtime.load(program),
    loadOnnx: (file) => runtime.loadOnnx(file),
    close: () => runtime.close(),
  }
}

async function lackOfWebGpu(): Promise<string | undefined> {
  const gpu: unknown = Reflect.get(navigator, 'gpu')
  if (!isGpu(gpu)) return 'this browser has no WebGPU'
  const adapter: unknown = await gpu.requestAdapter().catch(() => null)
  return adapter === null ? 'WebGPU finds no graphics card here' : undefined
}

/** What is used of WebGPU, whose types a page need not have. */
interface Gpu {
  requestAdapter(): Promise<unknown>
}
const isGpu = (value: unknown): value is Gpu => typeof value === 'object' && value !== null && 'requestAdapter' in value

// Bundlers find a worker by exactly this form.
const BUILDS = {
  cpu: {
    part: 'wasm',
    start: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }),
  },
  webgpu: {
    part: 'webgpu',
    start: () => new Worker(new URL('./worker-webgpu.js', import.meta.url), { type: 'module' }),
  },
} as const

/**
 * Without a bundler a worker cannot find onnxruntime-web by its name, as import maps hold for pages alone: one that is
 * given its address.
 */
function unbundled(part: 'wasm' | 'webgpu'): Worker {
  const ort = import.meta.resolve(`onnxruntime-web/${part}`)
  const serve = import.meta.url.replace(/[^/]*$/, 'serve-onnx.js')
  const code = `import * as ort from ${JSON.stringify(ort)}\nimport { serveOnnx } from ${JSON.stringify(serve)}\nserveOnnx(ort)`
  const address = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
  return new Worker(address, { type: 'module' })
}

async function opened(device: 'cpu' | 'webgpu', threads: number): Promise<Runtime> {
  if (threads > 1 && !globalThis.crossOriginIsolated) {
    throw new UsageError(
      `${threads} threads need a page that is cross-origin isolated`,
      'serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or leave out threads',
    )
  }
  const { part, start } = BUILDS[device]
  const open = (worker: Worker) => openRuntime(workerPort(worker), { device, threads })
  try {
    return await open(start()).catch((cause: unknown) => {
      if (cause instanceof UsageError || !hasAddress(part)) throw cause
      return open(unbundled(part))
    })
  } catch (cause) {
    if (!(cause instanceof CoopError) || cause instanceof UsageError) throw cause
    if (device === 'webgpu') {
      throw new CoopError('WebGPU cannot be used here', 'use the device cpu (WebAssembly)', { cause })
    }
    throw new CoopError(
      `ONNX Runtime Web cannot be started: ${cause.message}`,
      'install onnxruntime-web 1.30.0 beside coop-ts, and see that the page may load its .wasm file',
      { cause },
    )
  }
}

/** Whether the page has an import map with onnxruntime-web. */
function hasAddress(part: string): boolean {
  try {
    return import.meta.resolve(`onnxruntime-web/${part}`) !== ''
  } catch {
    return false
  }
}

/** What the worker posts. */
type Posted = Answer | { readonly lost: string }

function workerPort(worker: Worker): WorkerPort {
  const failed = new Set<(reason: string) => void>()
  const fail = (reason: string) => {
    for (const listener of failed) listener(reason)
  }
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    fail(event.message || 'its worker cannot be loaded')
  })
  worker.addEventListener('message', ({ data }: MessageEvent<Posted>) => {
    if ('lost' in data) fail(`the graphics card was lost (${data.lost})`)
  })
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onAnswer: (listener) =>
      worker.addEventListener('message', ({ data }: MessageEvent<Posted>) => {
        if (!('lost' in data)) listener(data)
      }),
    onFailure: (listener) => failed.add(listener),
    terminate: async () => {
      worker.terminate()
      fail('it was closed')
    },
  }
}

/** The runtime of the options, or a new one that is closed afterwards. */
export async function withWebRuntime<T>(
  { runtime, device, threads }: RuntimeOptions & { readonly runtime?: Runtime },
  { signal }: Pick<Hooks, 'signal'>,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  if (runtime !== undefined) return work(runtime)
  const own = await webRuntime({ device, threads })
  return work(own).finally(() => own.close())
}
