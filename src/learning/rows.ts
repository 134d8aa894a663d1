import { breathe } from '../base/breathe.ts'
import { ShapeError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { type FloatTensor, floatTensor, Graph, program, type Shape, sizeOf, type Value } from '../graph/index.ts'
import type { Runtime, Session } from '../runtime/types.ts'

/** A function of rows that the runtime computes, beside the caller's thread and some rows at a time. */
export interface RowFunction {
  /** Shows the results `(some rows, ...)` for rows `x` `(n, ...)` as they come, in order, with the first row of each. */
  each(x: FloatTensor, show: (y: FloatTensor, first: number) => void, hooks?: Hooks): Promise<void>
  /** All results: `(n, ...)`. Where that takes long, the hooks hear of its progress. */
  all(x: FloatTensor, hooks?: Hooks): Promise<FloatTensor>
  dispose(): Promise<void>
}

/** Values that go to the worker or come back in one run: the caller's thread copies these two megabytes in a millisecond. */
const VALUES = 2 ** 19
/** More rows at a time are computed no faster. */
const ROWS = 1024
/** Runs under way at a time: the next rows are there when the worker has done these, even where this thread is late. */
const AHEAD = 4

/**
 * `f` of rows `(n, ...row)`, row by row the same whatever the others are. Programs are made for a power of two of rows
 * and kept until `dispose`.
 *
 * @param most rows of one run at most; default: as many as are copied to and fro without keeping this thread busy
 */
export function rowFunction(
  runtime: Runtime,
  row: Shape,
  f: (x: Value) => Value,
  most = rowsOfRun(row, resultShape(row, f)),
): RowFunction {
  const sessions = new Map<number, Promise<Session<'y'>>>()
  const sessionFor = (rows: number) => {
    const known = sessions.get(rows)
    if (known !== undefined) return known
    const graph = new Graph()
    const made = runtime.load(program(graph, { y: f(graph.input('x', [rows, ...row])) }))
    sessions.set(rows, made)
    made.catch(() => sessions.delete(rows))
    return made
  }

  async function each(x: FloatTensor, show: (y: FloatTensor, first: number) => void, hooks: Hooks = {}) {
    const [n = 0, ...of] = x.shape
    if (x.shape.length !== row.length + 1 || of.join() !== row.join()) {
      throw new ShapeError(`rows are (n, ${row.join(', ')}), not (${x.shape.join(', ')})`)
    }
    if (n === 0) return
    const rows = Math.min(most, 2 ** Math.ceil(Math.log2(n)))
    const session = await sessionFor(rows)
    const running: Promise<void>[] = []
    try {
      for (let start = 0; start < n; start += rows) {
        // the last run begins early enough to be full
        const first = Math.max(0, Math.min(start, n - rows))
        const chunk = rowsFrom(x, first, rows, row)
        const end = Math.min(first + rows, n)
        const run = session.run({ x: chunk }).then(({ y }) => {
          show(rowsFrom(y, 0, end - first, y.shape.slice(1)), first)
          hooks.onProgress?.({ kind: 'evaluate', done: end, total: n })
        })
        run.catch(() => undefined) // awaited below; a failure must not count as unhandled until then
        running.push(run)
        if (running.length >= AHEAD) await running.shift()
        await breathe() // answers come as fast as they are taken: without a breath, timers would wait for the last
      }
      for (const run of running) await run
    } finally {
      await Promise.allSettled(running) // nothing is shown any more when the caller hears of a failure
    }
  }

  return {
    each,
    async all(x, hooks) {
      let y: FloatTensor | undefined
      await each(
        x,
        (some, first) => {
          const shape = some.shape.slice(1)
          y ??= floatTensor([x.shape[0] ?? 0, ...shape])
          y.data.set(some.data, first * sizeOf(shape))
        },
        hooks,
      )
      return y ?? floatTensor([0, ...resultShape(row, f)])
    },
    async dispose() {
      const made = [...sessions.values()]
      sessions.clear()
      for (const session of await Promise.allSettled(made))
        if (session.status === 'fulfilled') await session.value.dispose()
    },
  }
}

/** The function of rows `x` `(n, ...)` once. */
export async function mapRows(runtime: Runtime, x: FloatTensor, f: (x: Value) => Value): Promise<FloatTensor> {
  const rows = rowFunction(runtime, x.shape.slice(1), f)
  try {
    return await rows.all(x)
  } finally {
    await rows.dispose()
  }
}

/** Shape of what f gives for one row. */
const resultShape = (row: Shape, f: (x: Value) => Value): Shape => f(new Graph().input('x', [1, ...row])).shape.slice(1)

function rowsOfRun(row: Shape, result: Shape): number {
  const rows = VALUES / Math.max(1, sizeOf(row), sizeOf(result))
  return Math.min(ROWS, 2 ** Math.floor(Math.log2(Math.max(1, rows))))
}

/** Rows from `first` on, filled up with zeros where there are fewer. */
function rowsFrom({ data }: FloatTensor, first: number, rows: number, row: Shape): FloatTensor {
  const size = sizeOf(row)
  const found = data.subarray(first * size, (first + rows) * size)
  if (found.length === rows * size) return { dtype: 'float32', shape: [rows, ...row], data: found }
  const filled = floatTensor([rows, ...row])
  filled.data.set(found)
  return filled
}
