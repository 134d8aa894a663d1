import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Hooks } from '../base/progress.ts'
import { randomFor } from '../base/random.ts'
import { encodeTexts, imageEncoder } from '../clip/encode.ts'
import { modelOfWord } from '../clip/known-models.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { Clip } from '../clip/types.ts'
import { parseJson } from '../formats/json.ts'
import { readSchema } from '../formats/schema.ts'
import { type FloatTensor, floatTensor, type Shape } from '../graph/tensor.ts'
import { type AnyMethod, learnFewShot, METHODS, methodNamed } from '../methods/index.ts'
import { readText } from '../node/files.ts'
import { BUNDLED, sealedFolders } from '../node/package.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { changedFiles } from '../node/sums.ts'
import { POSITIONS } from '../prompt/layout.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import { environmentOf } from './environment.ts'
import { openModel, withRuntime } from './model.ts'

/** What a piece of work computed where. */
export interface Placed {
  /** A method, or a tower of the model. */
  readonly what: string
  /** Runs of operators on the device. */
  readonly onDevice: number
  /** Runs of operators that fell back from the device to the CPU, by operator. */
  readonly onCpu: Readonly<Record<string, number>>
  /** Copies between device and CPU inside a session, each of which waits for the device. */
  readonly crossings: number
}

/** What coop-ts finds on this machine. */
export interface Examination {
  readonly environment: ReturnType<typeof environmentOf>
  readonly model: string
  /** Files among the package's models and samples that are not as they were published. */
  readonly changed: readonly string[]
  /** Each device: `ok`, or why it cannot be used. */
  readonly devices: Readonly<Record<string, string>>
  readonly placed: readonly Placed[]
  /** Of all together. */
  readonly crossings: number
}

export interface ExamineOptions extends RuntimeOptions {
  /** A word for the CLIP; default: the bundled one. */
  readonly model?: string
  /** A method of METHODS to examine; default: all of them. */
  readonly method?: string
}

/**
 * Which devices answer, and for the chosen one, where the operators of both towers and of a step of every method run in
 * fact, by ONNX Runtime's own profile. Throws CoopError where the chosen device is not there.
 */
export async function examine(options: ExamineOptions = {}, hooks: Hooks = {}): Promise<Examination> {
  const folder = await mkdtemp(join(tmpdir(), 'coop-profile-'))
  try {
    return await withRuntime({ ...options, profile: folder }, hooks, async (runtime) => {
      const { method } = options
      const model = modelOfWord(options.model ?? BUNDLED)
      const methods = method === undefined ? METHODS : [methodNamed(method)]
      const { clip } = await openModel(model, hooks)
      const placed: Placed[] = []
      const pieces = piecesOf(clip, runtime, methods)
      for (const [done, { what, work }] of pieces.entries()) {
        hooks.signal?.throwIfAborted()
        await work()
        placed.push({ what, ...(await placedIn(folder)) })
        hooks.onProgress?.({ kind: 'evaluate', done: done + 1, total: pieces.length })
      }
      const crossings = placed.reduce((sum, piece) => sum + piece.crossings, 0)
      const changed = (await Promise.all(sealedFolders().map(changedFiles))).flat()
      const environment = environmentOf(runtime, options)
      return { environment, model, changed, devices: await devicesThere(), placed, crossings }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function devicesThere(): Promise<Record<string, string>> {
  const found: [string, string][] = []
  for (const device of ['cpu', 'webgpu', 'cuda'] as const) {
    const answer = nodeRuntime({ device }).then(async (runtime) => {
      await runtime.close()
      return 'ok'
    })
    found.push([device, await answer.catch((error: Error) => error.message)])
  }
  return Object.fromEntries(found)
}

interface Piece {
  readonly what: string
  work(): Promise<void>
}

const CLASS_NAMES = ['cat', 'red panda', 'merry-go-round']

/** Both towers, and every method with what little makes it compute. */
function piecesOf(clip: Clip, runtime: Runtime, methods: readonly AnyMethod[]): readonly Piece[] {
  const { embedDim, preprocess } = clip.config
  const side = preprocess.size
  const width = trunkWidth(clip.config)
  const labels = [0, 1, 2, 0, 1, 2]
  const n = labels.length
  const train = { features: randomTensor([n, 1, embedDim]), trunk: randomTensor([n, 1, width]), labels }
  const learning = (method: AnyMethod, settings: Readonly<Record<string, unknown>>): Piece => ({
    what: method.title(shortened(method, settings)),
    async work() {
      const whole = shortened(method, settings)
      const task = { clip, runtime, classNames: CLASS_NAMES, train, val: train, method, settings: whole }
      const { classifier } = await learnFewShot(task)
      const { takes } = classifier
      if (takes === 'features') await classifier.logits(floatTensor([n, embedDim], train.features.data))
      if (takes === 'trunk') await classifier.logits(floatTensor([n, width], train.trunk.data))
      await classifier.dispose()
    },
  })
  const towers: Piece[] = [
    {
      what: 'image tower',
      async work() {
        const encoder = imageEncoder(clip, runtime, 2)
        await encoder.encode([randomTensor([3, side, side]).data])
        await encoder.dispose()
      },
    },
    { what: 'text tower', work: async () => void (await encodeTexts(clip, runtime, CLASS_NAMES)) },
  ]
  const shapes = POSITIONS.flatMap((position) => [false, true].map((classSpecific) => ({ position, classSpecific })))
  return [
    ...towers,
    ...methods.flatMap((method) =>
      method.name === 'coop' ? shapes.map((shape) => learning(method, shape)) : learning(method, {}),
    ),
  ]
}

/** What makes learning short; a method takes of them what it has. */
const SHORT = { M: 4, epochs: 1, iterations: 2, alphaSteps: 2, betaSteps: 2 }

function shortened(method: AnyMethod, settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fits = ([name, value]: [string, unknown]) => method.settings.safeParse({ ...settings, [name]: value }).success
  return { ...settings, ...Object.fromEntries(Object.entries(SHORT).filter(fits)) }
}

function randomTensor(shape: Shape): FloatTensor {
  const tensor = floatTensor(shape)
  const random = randomFor('doctor', ...shape)
  for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = random.normal()
  return tensor
}

/** An operator's run in a profile of ONNX Runtime; other events have no provider. */
const eventsSchema = z.array(
  z.object({ args: z.object({ provider: z.string().optional(), op_name: z.string().optional() }).optional() }),
)
const CPU = 'CPUExecutionProvider'

/** What the profiles in a folder say, which are then removed. */
async function placedIn(folder: string): Promise<Omit<Placed, 'what'>> {
  const onCpu: Record<string, number> = {}
  let [onDevice, crossings] = [0, 0]
  const files = (await readdir(folder)).map((name) => join(folder, name))
  const profiles = await Promise.all(
    files.map(async (file) => readSchema(eventsSchema, parseJson(await readText(file), file), file)),
  )
  for (const { args } of profiles.flat()) {
    const { provider, op_name: op = '' } = args ?? {}
    if (provider === undefined) continue
    if (op.startsWith('Memcpy')) crossings++
    else if (provider === CPU) onCpu[op] = (onCpu[op] ?? 0) + 1
    else onDevice++
  }
  await Promise.all(files.map((file) => rm(file)))
  return { onDevice, onCpu, crossings }
}
