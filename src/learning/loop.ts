import { aFunction, aMap, anObject, aRuntime, checkArguments, wholeFrom, withMembers } from '../base/arguments.ts'
import { CoopError, DivergedError, ShapeError } from '../base/errors.ts'
import { orStopped } from '../base/stop.ts'
import { expectValues } from '../graph/graph.ts'
import { type FloatTensor, floatTensor, gradients, type Program, program, type Value } from '../graph/index.ts'
import type { Runtime, Session } from '../runtime/types.ts'
import { type BatchOrder, batchesOf, type Feeds, stepsOf } from './batches.ts'
import type { Optimiser } from './optimisers.ts'
import type { LearnOptions, Step, Tensors } from './types.ts'

/** Learning of some tensors by gradients, everything else frozen. */
export interface GradientTask {
  readonly runtime: Runtime
  /** One step for a batch of that size: the tensors by name and the feeds -> loss and gradients. */
  readonly program: (batch: number) => TrainingStep
  /** What the tensors are before the first step. */
  readonly start: Tensors
  readonly feeds: Feeds
  readonly epochs: number
  readonly batchSize: number
  /** Whether an epoch ends with a smaller batch of the images left over; default: those are dropped, as the paper does. */
  readonly keepLast?: boolean
  readonly order: BatchOrder
  readonly optimiser: Optimiser
  /** Learning rate of a step; epochs and steps (over all epochs) are counted from 0. */
  readonly learningRate: (epoch: number, step: number) => number
}

/** A step: a program, made with `stepOf`, or what loads several programs that are one step together. */
export type TrainingStep = Program | ((runtime: Runtime) => Promise<Session>)

/** Loads a step, whichever it is. */
export const loadStep = (runtime: Runtime, step: TrainingStep): Promise<Session> =>
  typeof step === 'function' ? step(runtime) : runtime.load(step)

/** What learning by gradients ends with. */
export interface GradientResult {
  readonly tensors: Tensors
  readonly steps: readonly Step[]
}

const GRADIENT_TASK = {
  runtime: aRuntime,
  program: aFunction,
  start: aMap,
  feeds: withMembers('feeds, as featureFeeds gives them', 'images', 'of'),
  epochs: wholeFrom(0),
  batchSize: wholeFrom(1),
  order: aFunction,
  optimiser: aFunction,
  learningRate: aFunction,
}

/** Name of the output that is the gradient of the loss towards a tensor. */
const gradientOf = (name: string) => `gradient.${name}` as const

/** The program of a step: `loss`, its gradient towards each of the tensors to learn, and what else is wanted of it. */
export function stepOf<Name extends string, Other extends string = never>(
  loss: Value,
  tensors: ReadonlyMap<Name, Value>,
  others?: Readonly<Record<Other, Value>>,
): Program<'loss' | `gradient.${Name}` | Other> {
  checkArguments('stepOf', { tensors, others }, { tensors: aMap, others: anObject.optional() })
  expectValues('stepOf', [loss])
  const found = gradients(loss, [...tensors.values()])
  return stepAlong(loss, new Map(Array.from(tensors.keys(), (name, i) => [name, found[i] ?? loss])), others)
}

/** The same where a step goes along other values than the gradients of the loss, given for each tensor by name. */
export function stepAlong<Name extends string, Other extends string = never>(
  loss: Value,
  directions: ReadonlyMap<Name, Value>,
  others?: Readonly<Record<Other, Value>>,
): Program<'loss' | `gradient.${Name}` | Other> {
  const named = Array.from(directions, ([name, direction]): [string, Value] => [gradientOf(name), direction])
  return program(loss.graph, { loss, ...Object.fromEntries(named), ...others })
}

/**
 * Learns by gradients: epoch after epoch, batch after batch, one run of the program a step. Killed after any step and
 * called again with the same task and checkpoint, it ends with the same numbers. Stopped by the signal, it keeps a
 * checkpoint first.
 *
 * @throws DivergedError when loss or tensors are no numbers any more; ShapeError for a checkpoint of something else
 */
export async function learnByGradients(task: GradientTask, options: LearnOptions = {}): Promise<GradientResult> {
  checkArguments('learnByGradients', { task, options }, { task: anObject, options: anObject })
  checkArguments('learnByGradients', { ...task }, GRADIENT_TASK)
  const { runtime, feeds, epochs, order, keepLast } = task
  const { checkpoint, onProgress, onSteps, signal } = options
  const n = feeds.images
  const batchSize = Math.min(task.batchSize, n)
  const perEpoch = stepsOf(n, batchSize, keepLast)
  const total = epochs * perEpoch
  const state = startState(task)
  const { steps } = state
  const about = (i: number) => {
    const epoch = Math.floor(i / perEpoch)
    return { step: i + 1, epoch: epoch + 1, learningRate: task.learningRate(epoch, i) }
  }
  const kept = await checkpoint?.read()
  if (kept) restore(state, kept, total, about)
  if (steps.length > 0) await onSteps?.(steps, state.tensors)
  let written = performance.now()
  const keep = async () => {
    await checkpoint?.write(new Map(Array.from(stateTensors(state), ([name, tensor]) => [name, copy(tensor)])))
    written = performance.now()
  }

  const sessions = new Map<number, Session>()
  const sessionFor = async (size: number) => {
    const session = sessions.get(size) ?? (await loadStep(runtime, task.program(size)))
    sessions.set(size, session)
    return session
  }
  try {
    for (let epoch = Math.floor(steps.length / perEpoch); epoch < epochs; epoch++) {
      const batches = batchesOf(order(epoch, n), batchSize, keepLast)
      for (const images of batches.slice(steps.length - epoch * perEpoch)) {
        signal?.throwIfAborted()
        const feed = await orStopped(feeds.of(images, epoch), signal)
        const session = await sessionFor(images.length)
        const outputs = await orStopped(session.run({ ...Object.fromEntries(state.tensors), ...feed }), signal)
        takeStep(state, outputs, about(steps.length))
        onProgress?.({ kind: 'train', done: steps.length, total, loss: steps.at(-1)?.loss ?? 0 })
        await onSteps?.(steps, state.tensors)
        if (checkpoint && performance.now() - written >= 1000 * (checkpoint.seconds ?? 10)) await keep()
      }
    }
  } catch (error) {
    // between two steps, whatever was under way
    if (signal?.aborted && error === signal.reason && steps.length > 0) await keep()
    throw error
  } finally {
    await feeds.close?.()
    for (const session of sessions.values()) await session.dispose()
  }
  return { tensors: state.tensors, steps }
}

interface State {
  readonly tensors: Tensors
  readonly optimisers: ReadonlyMap<string, ReturnType<Optimiser>>
  readonly steps: Step[]
}

const copy = ({ shape, data }: FloatTensor) => floatTensor(shape, data.slice())

type About = Pick<Step, 'step' | 'epoch' | 'learningRate'>

function startState({ start, optimiser }: GradientTask): State {
  const tensors = new Map(Array.from(start, ([name, tensor]) => [name, copy(tensor)]))
  return { tensors, optimisers: new Map(Array.from(tensors, ([name, { data }]) => [name, optimiser(data)])), steps: [] }
}

function takeStep(state: State, outputs: Readonly<Record<string, FloatTensor>>, about: About): void {
  const { tensors, optimisers, steps } = state
  const { step, learningRate } = about
  const loss = output(outputs, 'loss').data[0] ?? Number.NaN
  if (!Number.isFinite(loss)) throw diverged(`the loss of step ${step} is ${loss}`, learningRate, step === 1)
  let squares = 0
  for (const [name, { data }] of tensors) {
    const gradient = output(outputs, gradientOf(name)).data
    for (let i = 0; i < gradient.length; i++) squares += gradient[i]! ** 2
    optimisers.get(name)?.update(gradient, learningRate, step)
    if (!allFinite(data)) throw diverged(`step ${step} left values of ${name} that are not numbers`, learningRate)
  }
  // rounded as a checkpoint keeps it, so that a resumed run has the same
  steps.push({ ...about, loss, gradientNorm: Math.fround(Math.sqrt(squares)) })
}

/** A loop, for "every" takes longer than a step of the optimiser. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return false
  return true
}

function output(outputs: Readonly<Record<string, FloatTensor>>, name: string): FloatTensor {
  const tensor = outputs[name]
  if (tensor === undefined) throw new Error(`the program of a step has no output "${name}"`)
  return tensor
}

/** What to say when loss or values are no numbers any more. */
export function diverged(what: string, learningRate: number, fromTheStart = false): DivergedError {
  return new DivergedError(
    `training failed: ${what} (learning rate ${learningRate})`,
    // before the first step nothing has been learned, at whatever rate
    fromTheStart
      ? 'check the settings of the method, and that the model and its image features are finite'
      : 'use a smaller learning rate, and check that the image features are finite',
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
const START_AGAIN = 'remove the checkpoint, and start again (--force)'

function restore(state: State, kept: Tensors, total: number, about: (i: number) => About): void {
  for (const [name, { data }] of kept) {
    if (data.every(Number.isFinite)) continue
    throw new CoopError(`the checkpoint is damaged: ${name} contains values that are not numbers`, START_AGAIN)
  }
  for (const [name, { shape, data }] of stateTensors(state)) {
    if (name === STEPS) continue
    const found = kept.get(name)
    if (found?.shape.join() !== shape.join()) {
      const is = found === undefined ? 'is missing' : `is (${found.shape.join(', ')})`
      throw new ShapeError(`the checkpoint is from other training: ${name} ${is}, expected (${shape.join(', ')})`)
    }
    data.set(found.data)
  }
  const rows = kept.get(STEPS)?.data
  if (rows === undefined || rows.length % 2 !== 0 || rows.length > 2 * total) {
    const steps = rows === undefined ? 'no steps' : `${rows.length / 2} steps of ${total}`
    throw new ShapeError(`the checkpoint is from other training: it has ${steps}`, START_AGAIN)
  }
  for (let i = 0; 2 * i < rows.length; i++) {
    state.steps.push({ ...about(i), loss: rows[2 * i]!, gradientNorm: rows[2 * i + 1]! })
  }
}
