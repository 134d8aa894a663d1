import { DivergedError, ShapeError } from '../base/errors.ts'
import { type ByteSource, openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { type FloatTensor, floatTensor, gradients, type Program, program, type Value } from '../graph/index.ts'
import type { Runtime, Session } from '../runtime/types.ts'
import {
  type BatchOrder,
  batchesOf,
  epochSets,
  feedsOf,
  type OnlineViews,
  stepsOf,
  type TrainingSet,
} from './batches.ts'
import type { Optimiser } from './optimisers.ts'
import type { LearnOptions, Step } from './types.ts'

/** Learning of some tensors by gradients, everything else frozen. */
export interface GradientTask {
  readonly runtime: Runtime
  /**
   * One step for a batch of that size, made with `stepOf`: the tensors by name, `features` `(batch, embed)` and
   * `labels` `(batch)` int64 -> loss and gradients.
   */
  readonly program: (batch: number) => Program
  /** What the tensors are before the first step. */
  readonly start: ReadonlyMap<string, FloatTensor>
  readonly set: TrainingSet
  /** Views drawn anew for each epoch: these are then learned from, not the set's own. */
  readonly online?: OnlineViews | undefined
  readonly epochs: number
  readonly batchSize: number
  /** Whether an epoch ends with a smaller batch of the images left over; default: those are dropped, as the paper does. */
  readonly keepLast?: boolean
  readonly order: BatchOrder
  readonly optimiser: Optimiser
  /** Learning rate of a step; epochs and steps (over all epochs) are counted from 0. */
  readonly learningRate: (epoch: number, step: number) => number
  /** Checkpoints are that far apart (default 10). */
  readonly checkpointSeconds?: number
}

/** Name of the output that is the gradient of the loss towards a tensor. */
const gradientOf = (name: string) => `gradient.${name}`

/** The program of a step: `loss`, its gradient towards each of the tensors to learn, and what else is wanted of it. */
export function stepOf(
  loss: Value,
  tensors: ReadonlyMap<string, Value>,
  others: Readonly<Record<string, Value>> = {},
): Program {
  const found = gradients(loss, [...tensors.values()])
  const named = Array.from(tensors.keys(), (name, i): [string, Value] => [gradientOf(name), found[i] ?? loss])
  return program(loss.graph, { loss, ...Object.fromEntries(named), ...others })
}

/**
 * Learns by gradients: epoch after epoch, batch after batch, one run of the program a step. Killed after any step and
 * called again with the same task and checkpoint, it ends with the same numbers.
 *
 * @throws DivergedError when loss or tensors are no numbers any more; FileError or ShapeError for a checkpoint of something else
 */
export async function learnByGradients(
  task: GradientTask,
  { checkpoint, onProgress, signal }: LearnOptions = {},
): Promise<{ readonly tensors: ReadonlyMap<string, FloatTensor>; readonly steps: readonly Step[] }> {
  const { runtime, set, online, epochs, order, keepLast, checkpointSeconds = 10 } = task
  const n = set.labels.length
  const batchSize = Math.min(task.batchSize, n)
  const perEpoch = stepsOf(n, batchSize, keepLast)
  const state = startState(task)
  const { steps } = state
  const rateOf = (step: number) => task.learningRate(Math.floor(step / perEpoch), step)
  const kept = await checkpoint?.read()
  if (kept) await restore(state, kept, rateOf)
  let written = Date.now()

  const sessions = new Map<number, Session>()
  const sessionFor = async (size: number) => {
    const session = sessions.get(size) ?? (await runtime.load(task.program(size)))
    sessions.set(size, session)
    return session
  }
  try {
    for await (const { epoch, set: shown } of epochSets(set, online, Math.floor(steps.length / perEpoch), epochs)) {
      const batches = batchesOf(order(epoch, n), batchSize, keepLast)
      for (const images of batches.slice(steps.length - epoch * perEpoch)) {
        signal?.throwIfAborted()
        const session = await sessionFor(images.length)
        const outputs = await session.run({ ...Object.fromEntries(state.tensors), ...feedsOf(shown, images, epoch) })
        takeStep(state, outputs, rateOf(steps.length))
        onProgress?.({ kind: 'train', done: steps.length, total: epochs * perEpoch, loss: steps.at(-1)?.loss ?? 0 })
        if (checkpoint === undefined || Date.now() - written < checkpointSeconds * 1000) continue
        await checkpoint.write(writeSafetensors(stateTensors(state)))
        written = Date.now()
      }
    }
  } finally {
    for (const session of sessions.values()) await session.dispose()
  }
  return { tensors: state.tensors, steps }
}

interface State {
  readonly tensors: ReadonlyMap<string, FloatTensor>
  readonly optimisers: ReadonlyMap<string, ReturnType<Optimiser>>
  readonly steps: Step[]
}

function startState({ start, optimiser }: GradientTask): State {
  const copy = ({ shape, data }: FloatTensor) => floatTensor(shape, data.slice())
  const tensors = new Map(Array.from(start, ([name, tensor]) => [name, copy(tensor)]))
  return { tensors, optimisers: new Map(Array.from(tensors, ([name, { data }]) => [name, optimiser(data)])), steps: [] }
}

function takeStep({ tensors, optimisers, steps }: State, outputs: Record<string, FloatTensor>, rate: number): void {
  const step = steps.length + 1
  const loss = output(outputs, 'loss').data[0] ?? Number.NaN
  if (!Number.isFinite(loss)) throw diverged(`the loss of step ${step} is ${loss}`, rate)
  let squares = 0
  for (const [name, { data }] of tensors) {
    const gradient = output(outputs, gradientOf(name)).data
    for (const g of gradient) squares += g * g
    optimisers.get(name)?.update(gradient, rate, step)
    if (!data.every(Number.isFinite)) throw diverged(`step ${step} left values of ${name} that are no numbers`, rate)
  }
  // rounded as a checkpoint keeps it, so that a resumed run has the same
  steps.push({ step, loss, learningRate: rate, gradientNorm: Math.fround(Math.sqrt(squares)) })
}

function output(outputs: Record<string, FloatTensor>, name: string): FloatTensor {
  const tensor = outputs[name]
  if (tensor === undefined) throw new Error(`the program of a step has no output "${name}"`)
  return tensor
}

function diverged(what: string, learningRate: number): DivergedError {
  return new DivergedError(
    `training broke down: ${what} (learning rate ${learningRate})`,
    'take a smaller learning rate, and see that the image features are finite',
  )
}

/** Everything of a state as float32 tensors: what is learned, the optimisers' buffers, and a row for each step. */
function stateTensors({ tensors, optimisers, steps }: State): Map<string, FloatTensor> {
  const buffers = Array.from(optimisers).flatMap(([name, { buffers }]) =>
    Object.entries(buffers).map(([buffer, data]): [string, FloatTensor] => [
      `${buffer} of ${name}`,
      floatTensor([data.length], data),
    ]),
  )
  const rows = steps.flatMap(({ loss, gradientNorm }) => [loss, gradientNorm])
  return new Map([...tensors, ...buffers, [STEPS, floatTensor([steps.length, 2], Float32Array.from(rows))]])
}

const STEPS = 'steps'

async function restore(state: State, source: ByteSource, rateOf: (step: number) => number): Promise<void> {
  const file = await openSafetensors(source)
  for (const [name, { shape, data }] of stateTensors(state)) {
    if (name === STEPS) continue
    const kept = await file.readFloat(name)
    if (kept.data.length !== data.length) {
      throw new ShapeError(
        `${source.name}: ${name} is (${kept.shape.join(', ')}) where (${shape.join(', ')}) is learned`,
      )
    }
    data.set(kept.data)
  }
  const { shape, data } = await file.readFloat(STEPS)
  for (let i = 0; i < (shape[0] ?? 0); i++) {
    const [loss = 0, gradientNorm = 0] = data.subarray(2 * i)
    state.steps.push({ step: i + 1, loss, learningRate: rateOf(i), gradientNorm })
  }
}
