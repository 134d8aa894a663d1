import { anObject, aTensor, bytes, checkArguments, withMembers } from '../base/arguments.ts'
import { MAX_THREADS } from '../base/bounds.ts'
import { mapBreathing } from '../base/breathe.ts'
import { CoopError, ShapeError, UsageError } from '../base/errors.ts'
import { add } from '../graph/elementwise.ts'
import { Graph } from '../graph/graph.ts'
import { lower } from '../graph/lowering.ts'
import { encodeOnnx } from '../graph/onnx.ts'
import { aProgram, type Program, program } from '../graph/program.ts'
import { type FloatTensor, floatTensor, sizeOf, type Tensor } from '../graph/tensor.ts'
import {
  type Answer,
  DEVICES,
  type Device,
  type LoadOptions,
  type ProfiledOptions,
  type Request,
  type Runtime,
  type Session,
  type WeightFile,
  type WeightsInFiles,
} from './types.ts'

/** A worker (Node's or the browser's) that answers requests; what a platform must bring. */
export interface WorkerPort {
  post(message: Request & { id: number }, transfer: ArrayBuffer[]): void
  onAnswer(listener: (answer: Answer) => void): void
  onFailure(listener: (reason: string) => void): void
  terminate(): Promise<void>
  /** Those of some weights that lie in files of a folder. */
  inFiles?(weights: readonly object[]): Promise<WeightsInFiles>
}

const aPort = withMembers(
  'a worker { post, onAnswer, onFailure, terminate }',
  'post',
  'onAnswer',
  'onFailure',
  'terminate',
)

/** Providers of each device; the first that answers is taken. */
const CANDIDATES: Readonly<Record<Device, readonly Runtime['device'][]>> = {
  cpu: ['cpu'],
  webgpu: ['webgpu'],
  cuda: ['cuda'],
  auto: ['cuda', 'webgpu', 'cpu'],
}

/** What a device needs to be there. */
const NEEDS = {
  webgpu: 'a graphics card with a driver for Vulkan, Metal or Direct3D 12',
  cuda: 'an NVIDIA graphics card, its driver and cuDNN, and the CUDA files of onnxruntime-node',
}

/** Throws UsageError when `threads` is not a whole number from 1 to 1024. */
export function checkThreads(threads: number): void {
  if (Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS) return
  throw new UsageError(`threads: ${threads} is not a whole number from 1 to ${MAX_THREADS}`)
}

/**
 * Opens a runtime on a worker, with the provider that was asked for, or for `auto` the first one that answers a probe.
 *
 * @throws UsageError when `threads` is not a whole number from 1 to 1024, or there is no device of that name
 * @throws CoopError when the device is not there
 */
export async function openRuntime(port: WorkerPort, options: ProfiledOptions & { threads: number }): Promise<Runtime> {
  checkArguments('openRuntime', { port, options }, { port: aPort, options: anObject })
  const { device = 'cpu', threads, profile } = options
  try {
    checkThreads(threads)
  } catch (cause) {
    await port.terminate()
    throw cause
  }
  if (!Object.hasOwn(CANDIDATES, device)) {
    await port.terminate()
    throw new UsageError(`there is no device ${JSON.stringify(device)}`, `the devices are ${DEVICES.join(', ')}`)
  }
  const channel = new Channel(port)
  const refused: Error[] = []
  for (const provider of CANDIDATES[device]) {
    try {
      await channel.ask({ kind: 'open', provider, threads, profile, probe: probe() })
    } catch (error) {
      refused.push(error instanceof Error ? error : new Error(String(error)))
      continue
    }
    const note =
      provider === 'cpu' && refused.length > 0 ? 'no graphics card can be used: running on the CPU' : undefined
    return new WorkerRuntime(channel, provider, note)
  }
  await port.terminate()
  // what ONNX Runtime says is for its own developers: kept as the cause, shown by --verbose
  const [cause] = refused
  if (device === 'cpu' || device === 'auto') {
    throw new CoopError(
      `ONNX Runtime cannot run here: ${refused.at(-1)?.message.trim()}`,
      'install onnxruntime-node again',
    )
  }
  throw new CoopError(
    `the device ${device} cannot be used here: it needs ${NEEDS[device]}`,
    'use another device (--device): cpu, or auto for whichever is there',
    { cause },
  )
}

/** y = x + x of one number: does the provider answer at all? */
function probe(): Uint8Array {
  const graph = new Graph()
  const x = graph.input('x', [1])
  return encodeOnnx(program(graph, { y: add(x, x) })).bytes
}

/** Memory of less than 64 KiB is copied sooner than it is moved to another thread. */
const isSmall = ({ byteLength }: ArrayBufferView) => byteLength < 1 << 16

class Channel {
  readonly port: WorkerPort
  readonly #waiting = new Map<
    number,
    { resolve: (o: Record<string, FloatTensor>) => void; reject: (e: Error) => void }
  >()
  #next = 0
  #broken: string | undefined

  constructor(port: WorkerPort) {
    this.port = port
    port.onAnswer((answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(new CoopError(answer.error))
      else waiting?.resolve(answer.outputs)
    })
    port.onFailure((reason) => {
      this.#broken ??= reason // An error comes before the exit that it causes.
      for (const { reject } of this.#waiting.values()) reject(this.#ended())
      this.#waiting.clear()
    })
  }

  /** @param moved parts of the request that need not be copied: their memory goes over to the worker, or both share it */
  ask(request: Request, moved: readonly ArrayBufferView[] = []): Promise<Record<string, FloatTensor>> {
    if (this.#broken !== undefined) return Promise.reject(this.#ended())
    const id = this.#next++
    const transfer = moved.flatMap((view) =>
      !isSmall(view) && view.buffer instanceof ArrayBuffer ? [view.buffer] : [],
    )
    return new Promise((resolve, reject) => {
      this.port.post({ ...request, id }, transfer)
      this.#waiting.set(id, { resolve, reject })
    })
  }

  #ended(): CoopError {
    return new CoopError(`the runtime has ended: ${this.#broken}`, 'open a new runtime and load the program again')
  }
}

class WorkerRuntime implements Runtime {
  readonly device: Runtime['device']
  readonly note?: string
  readonly #channel: Channel
  #sessions = 0

  constructor(channel: Channel, device: Runtime['device'], note: string | undefined) {
    this.#channel = channel
    this.device = device
    if (note !== undefined) this.note = note
  }

  async load<Out extends string>(program: Program<Out>, options: LoadOptions = {}): Promise<Session<Out>> {
    checkArguments('load', { program }, { program: aProgram })
    const lowered = lower(program, this.device)
    const asFloat = new Set(
      lowered.inputs.flatMap(({ name, outputs: [x] }) => (x?.dtype === 'float32' ? (name ?? []) : [])),
    )
    const session = await this.#openProgram(lowered, options)
    return {
      run: async (feeds) => {
        checkFeeds(program, feeds)
        const lower = Object.entries(feeds).map(([name, x]) => [name, asFloat.has(name) ? asFloats(x) : x] as const)
        const outputs = await session.run(Object.fromEntries(lower))
        checkOutputs(program, outputs)
        return outputs
      },
      dispose: session.dispose,
    }
  }

  async #openProgram(program: Program, options: LoadOptions): Promise<Session> {
    const open = async (from?: WeightsInFiles) => {
      // read one by one, where they were not yet, so that others have their turns
      await mapBreathing(program.weights, ({ tensor }) =>
        tensor && !from?.slices.has(tensor) ? tensor.data.length : 0,
      )
      const model = encodeOnnx(program, from?.slices)
      const weights = Array.from(model.weights, ([path, data]) => ({ path, data: postable(data) }))
      return this.#open(model.bytes, weights, options, from?.folder)
    }
    const from = await this.#channel.port.inFiles?.(largeMatrices(program))
    if (from === undefined || from.slices.size === 0 || restOf(program, from) > MOST_INSIDE) return open()
    // not every file system has files that can be taken as memory
    return open(from).catch(() => open())
  }

  async loadOnnx(file: Uint8Array): Promise<Session> {
    checkArguments('loadOnnx', { file }, { file: bytes })
    return this.#open(file.slice(), [])
  }

  /** @param model goes over to the worker, as do the weights */
  async #open(
    model: Uint8Array,
    weights: readonly WeightFile[],
    { spinning = true, once = false }: LoadOptions = {},
    folder?: string,
  ): Promise<Session> {
    const session = this.#sessions++
    let disposed = false
    const moved = [model, ...weights.map(({ data }) => data)]
    await this.#channel.ask({ kind: 'load', session, model, weights, spinning, once, folder }, moved)
    return {
      run: async (feeds) => {
        if (disposed) throw new CoopError('the session is disposed', 'load the program again')
        const posted = Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, detached(x)]))
        const moved = Object.values(posted).map(({ data }) => data)
        return this.#channel.ask({ kind: 'run', session, feeds: posted }, moved)
      },
      dispose: async () => {
        if (disposed) return
        disposed = true
        await this.#channel.ask({ kind: 'dispose', session })
      },
    }
  }

  async close(): Promise<void> {
    await this.#channel.port.terminate()
  }
}

/** Throws an error that names the outputs of a program which a run did not give. */
export function checkOutputs<Out extends string>(
  program: Program<Out>,
  given: Readonly<Record<string, FloatTensor>>,
): asserts given is Record<Out, FloatTensor> {
  const missing = [...program.outputs.keys()].filter((name) => !Object.hasOwn(given, name))
  if (missing.length > 0) throw new Error(`a run gave no output ${missing.join(', ')}`)
}

function checkFeeds(program: Program, feeds: Readonly<Record<string, Tensor>>): void {
  checkArguments('run', { feeds }, { feeds: anObject })
  const names = new Set(program.inputs.map((node) => node.name))
  const unknown = Object.keys(feeds).filter((name) => !names.has(name))
  if (unknown.length > 0)
    throw new ShapeError(`the program has no input ${unknown.join(', ')}; it has ${[...names].join(', ')}`)
  for (const { name = '', outputs } of program.inputs) {
    const feed = feeds[name]
    const [wanted] = outputs
    if (feed === undefined) throw new ShapeError(`the input ${name} is not fed`)
    checkArguments('run', { [name]: feed }, { [name]: aTensor })
    if (feed.data.length !== sizeOf(feed.shape)) {
      throw new ShapeError(`input ${name}: (${feed.shape.join(', ')}) does not hold ${feed.data.length} values`)
    }
    if (wanted !== undefined && (feed.dtype !== wanted.dtype || feed.shape.join() !== wanted.shape.join())) {
      throw new ShapeError(
        `input ${name} is ${wanted.dtype} (${wanted.shape.join(', ')}), fed ${feed.dtype} (${feed.shape.join(', ')})`,
      )
    }
  }
}

/** Values from which on a weight is taken from its file. */
const LARGE = 1 << 17

/** Values that a model contains itself at most, where others lie in files: protobuf cannot pass 2 GB. */
const MOST_INSIDE = 1 << 28

const restOf = ({ weights }: Program, { slices }: WeightsInFiles): number =>
  weights.reduce((sum, { tensor }) => sum + (tensor && !slices.has(tensor) ? sizeOf(tensor.shape) : 0), 0)

/**
 * The weights of linear layers: ONNX Runtime lays them out anew for its products as a session is made, and does not look at their
 * file again, whatever becomes of that. What runs once runs at once.
 */
const largeMatrices = ({ weights }: Program): object[] =>
  weights.flatMap(({ tensor }) =>
    tensor?.dtype === 'float32' && tensor.shape.length === 2 && sizeOf(tensor.shape) >= LARGE ? [tensor] : [],
  )

/** The bytes of a weight: shared memory is seen from both sides, of other memory a copy is moved. */
function postable({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  return buffer instanceof ArrayBuffer ? bytes.slice() : bytes
}

/**
 * A feed as it is posted, copied once on the way: by the message where it is small, else here, and then moved. A view of
 * a larger buffer would be posted with all of it.
 */
const detached = (x: Tensor): Tensor => (isSmall(x.data) && ownsBuffer(x) ? x : copy(x))

const asFloats = (x: Tensor): FloatTensor =>
  x.dtype === 'float32' ? x : floatTensor(x.shape, Float32Array.from(x.data, Number))

const ownsBuffer = ({ data }: Tensor) =>
  data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength

const copy = (x: Tensor): Tensor =>
  x.dtype === 'int64' ? { ...x, data: x.data.slice() } : { ...x, data: x.data.slice() }
