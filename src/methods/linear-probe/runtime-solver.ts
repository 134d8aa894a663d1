import {
  add,
  div,
  type FloatTensor,
  floatTensor,
  Graph,
  matmul,
  mul,
  positive,
  program,
  reshape,
  sub,
  sum,
  sumSquares,
  type Value,
  where,
} from '../../graph/index.ts'
import type { Runtime } from '../../runtime/types.ts'
import { MAX_GRADIENTS, type StepSolver, type System, scaledNorm } from './conjugate-gradients.ts'

/** Iterations in one run of the runtime: messages take as long as they do. */
const AT_ONCE = 8

/** The share of its squares at which a residual is float32's rounding, along which there may be no curvature at all. */
const ROUNDING = 1e-12

/** Solvers over the same rows, as many at a time as there are slots. */
export interface SharedSolver {
  /** One for some of the rows, as soon as a slot is free; the others wait for what it asks until it is disposed of. */
  open(rows: readonly number[]): Promise<StepSolver>
  dispose(): Promise<void>
}

/** Conjugate gradients in float32, by the runtime, beside the caller's thread. */
export async function runtimeSolver(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  classes: number,
): Promise<StepSolver> {
  const shared = await sharedSolver(runtime, x, labels, classes, 1)
  const solver = await shared.open(Array.from(labels.keys()))
  return { ...solver, dispose: () => shared.dispose() }
}

/**
 * The same for several systems at a time: what a run takes is mostly its operators, not their numbers. All systems are over
 * all rows x `(n, d)`; in those that are not a solver's own, q is 0.
 */
export async function sharedSolver(
  runtime: Runtime,
  x: FloatTensor,
  labels: readonly number[],
  classes: number,
  slots: number,
): Promise<SharedSolver> {
  const [n = 0, d = 0] = x.shape
  const session = await runtime.load(iterations(x, labels, classes, slots))
  const constants = {
    probabilities: floatTensor([n, slots, classes]),
    counts: floatTensor([slots, 1]),
    penalties: floatTensor([slots, 1, d]),
    inverse: floatTensor([slots, classes, d]),
  }
  let state = {
    step: floatTensor([slots, classes, d]),
    rest: floatTensor([slots, classes, d]),
    direction: floatTensor([slots, classes, d]),
    left: floatTensor([slots, 1, 1]),
  }
  let squares = floatTensor([slots, 1, 1])
  const free = Array.from({ length: slots }, (_, slot) => slot)
  const wanting: ((slot: number) => void)[] = []
  let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  const of = ({ data }: FloatTensor, slot: number) =>
    data.subarray((data.length / slots) * slot, (data.length / slots) * (slot + 1))

  /** A run for all slots that are taken, once each of them waits for it. */
  const runIfAllWait = async () => {
    if (waiting.length === 0 || waiting.length < slots - free.length) return
    const those = waiting
    waiting = []
    try {
      const after = await session.run({ ...constants, ...state })
      state = { step: after.stepAfter, rest: after.restAfter, direction: after.directionAfter, left: after.leftAfter }
      squares = after.squares
      for (const { resolve } of those) resolve()
    } catch (error) {
      for (const { reject } of those) reject(error)
    }
  }
  const nextRun = () =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ resolve, reject })
      void runIfAllWait()
    })

  /** Nothing to solve: all stays as it is. */
  const clear = (slot: number) => {
    for (const part of Object.values(state)) of(part, slot).fill(0)
  }

  const solverIn = (slot: number, rows: readonly number[]): StepSolver => ({
    async solve(system, enough, signal) {
      const size = scaledNorm(system.gradient, system.inverse) // as 1, so that squares are within float32
      begin(slot, rows, system, size)
      let step = Float64Array.from(of(state.step, slot))
      try {
        for (let k = 0; k < MAX_GRADIENTS; k += AT_ONCE) {
          signal?.throwIfAborted()
          const [before] = of(state.left, slot)
          await nextRun()
          const [left = Number.NaN] = of(state.left, slot)
          const [length = Number.NaN] = of(squares, slot)
          if (!Number.isFinite(left + length)) break
          step = Float64Array.from(of(state.step, slot), (v) => v * size)
          if (left === before || enough(size * Math.sqrt(left), size * Math.sqrt(length))) break
        }
      } finally {
        clear(slot)
      }
      return step
    },
    async dispose() {
      const wants = wanting.shift()
      if (wants) return wants(slot)
      free.push(slot)
      await runIfAllWait()
    },
  })

  const begin = (slot: number, rows: readonly number[], system: System, size: number) => {
    const { probabilities, gradient, penalties, inverse } = system
    const all = constants.probabilities.data
    for (let i = 0; i < n; i++) all.fill(0, (i * slots + slot) * classes, (i * slots + slot + 1) * classes)
    for (const [i, row] of rows.entries()) {
      all.set(probabilities.subarray(i * classes, (i + 1) * classes), (row * slots + slot) * classes)
    }
    constants.counts.data[slot] = rows.length
    of(constants.penalties, slot).set(penalties)
    of(constants.inverse, slot).set(inverse)
    of(state.step, slot).fill(0)
    of(state.rest, slot).set(gradient.map((g) => -g / size))
    of(state.direction, slot).set(gradient.map((g, k) => (-g / size) * inverse[k]!))
    of(state.left, slot).fill(1)
  }

  return {
    async open(rows) {
      const slot = free.shift() ?? (await new Promise<number>((resolve) => wanting.push(resolve)))
      return solverIn(slot, rows)
    },
    dispose: () => session.dispose(),
  }
}

/** AT_ONCE iterations of each slot's system; one whose residual is rounding stays as it is. */
function iterations(x: FloatTensor, labels: readonly number[], classes: number, slots: number) {
  const [n = 0, d = 0] = x.shape
  const own = floatTensor([n, 1, classes])
  for (const [i, label] of labels.entries()) own.data[i * classes + label] = 1
  const graph = new Graph()
  const [rows, onehot] = [graph.weight('x', x), graph.weight('onehot', own)]
  const [rounding, none] = [graph.scalar(ROUNDING), graph.scalar(0)]
  const probabilities = graph.input('probabilities', [n, slots, classes])
  const counts = graph.input('counts', [slots, 1])
  const penalties = graph.input('penalties', [slots, 1, d])
  const inverse = graph.input('inverse', [slots, classes, d])
  const curved = (direction: Value) => {
    const outputs = matmul(rows, reshape(direction, [slots * classes, d]), { transB: true })
    const u = reshape(outputs, [n, slots, classes])
    const less = sub(u, sum(mul(u, onehot), [2], true))
    const mean = mul(sum(mul(probabilities, less), [2], true), counts)
    const bent = reshape(mul(probabilities, sub(less, mean)), [n, slots * classes])
    return reshape(matmul(bent, rows, { transA: true }), [slots, classes, d])
  }
  let step = graph.input('step', [slots, classes, d])
  let rest = graph.input('rest', [slots, classes, d])
  let direction = graph.input('direction', [slots, classes, d])
  let left = graph.input('left', [slots, 1, 1])
  for (let k = 0; k < AT_ONCE; k++) {
    const bent = add(curved(direction), mul(penalties, direction))
    const bend = sum(mul(direction, bent), [1, 2], true)
    const going = positive(where(positive(sub(left, rounding)), bend, none)) // else all stays as it is
    const size = where(going, div(left, bend), none)
    step = add(step, mul(size, direction))
    rest = sub(rest, mul(size, bent))
    const scaled = mul(rest, inverse)
    const next = sum(mul(rest, scaled), [1, 2], true)
    direction = where(going, add(scaled, mul(div(next, left), direction)), direction)
    left = next
  }
  return program(graph, {
    stepAfter: step,
    restAfter: rest,
    directionAfter: direction,
    leftAfter: left,
    squares: sumSquares(rest, [1, 2], true),
  })
}
