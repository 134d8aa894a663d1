import type { Program } from '../graph/program.ts'
import type { FloatTensor, Tensor } from '../graph/tensor.ts'
import type { LoadOptions, Runtime, Session } from '../runtime/types.ts'

/** Runs before a program is tried on the second device: most run only once or twice. */
const RUNS_BEFORE = 3
/** Runs that are timed on the second device. */
const TIMED = 3
/** Milliseconds that the second device has to load a program and run it once; slower ones are given up for good. */
const PATIENCE = 5000

type Feeds = Readonly<Record<string, Tensor>>

/**
 * A runtime of two: a program begins on the first; one that runs often is tried on the second, and stays on whichever took
 * less time a run. The first goes on while the second loads and warms up.
 */
export function fastestOf(
  first: Runtime,
  openSecond: () => Promise<Runtime>,
  names: readonly [string, string],
): Runtime {
  const [firstName, secondName] = names
  let second: Promise<Runtime> | undefined
  let givenUp = false
  let device = first.device
  let note = firstName

  async function giveUp(why: string): Promise<undefined> {
    if (!givenUp) note = `${firstName}; ${why}`
    givenUp = true
    void second?.then((runtime) => runtime.close()).catch(() => undefined)
    return undefined
  }

  /** A program that is ready on the second device, or undefined where that cannot be had. */
  async function onSecond<Out extends string>(
    program: Program<Out>,
    options: LoadOptions | undefined,
    feeds: Feeds,
    firstTime: number,
  ) {
    const ready = async () => {
      second ??= openSecond()
      const session = await (await second).load(program, options)
      await session.run(feeds)
      return session
    }
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, PATIENCE, 'late'))
    const session = await Promise.race([ready(), late]).catch((cause: unknown) =>
      giveUp(`${secondName} cannot be used: ${cause instanceof Error ? cause.message : cause}`),
    )
    if (session !== 'late') return session
    return giveUp(`a step takes ${shown(firstTime)}, on ${secondName} more than ${PATIENCE} ms`)
  }

  async function load<Out extends string>(program: Program<Out>, options?: LoadOptions): Promise<Session<Out>> {
    let session = await first.load(program, options)
    let runs = 0
    let firstTime = Number.POSITIVE_INFINITY
    let trial: ReturnType<typeof onSecond<Out>> | undefined
    let tried: Session<Out> | undefined

    async function choose(other: Session<Out>, feeds: Feeds): Promise<void> {
      tried = undefined
      const secondTime = await timeOf(() => other.run(feeds), firstTime)
      const isFaster = secondTime < firstTime
      note = `${isFaster ? secondName : firstName}: a step takes ${shown(firstTime)} on ${firstName}, ${shown(secondTime)} on ${secondName}`
      const slower = isFaster ? session : other
      if (isFaster) session = other
      device = isFaster && second !== undefined ? (await second).device : first.device
      await slower.dispose()
    }

    return {
      async run(feeds) {
        runs++
        if (tried !== undefined) await choose(tried, feeds).catch((cause: unknown) => giveUp(String(cause)))
        const start = performance.now()
        const outputs = await session.run(feeds)
        if (runs > 1 && runs <= RUNS_BEFORE) firstTime = Math.min(firstTime, performance.now() - start)
        if (runs === RUNS_BEFORE && !givenUp) {
          trial = onSecond(program, options, feeds, firstTime)
          void trial.then((ready) => {
            tried = ready
          })
        }
        return outputs
      },
      async dispose() {
        tried = undefined
        void trial?.then((ready) => (ready === session ? undefined : ready?.dispose())).catch(() => undefined)
        await session.dispose()
      },
    }
  }

  return {
    get device() {
      return device
    },
    get note() {
      return note
    },
    load,
    loadOnnx: (file) => first.loadOnnx(file),
    async close() {
      givenUp = true
      await first.close()
      await (await second?.catch(() => undefined))?.close()
    },
  }
}

/** Milliseconds of the fastest of some runs, or of one that takes twice as long as what is to be beaten. */
async function timeOf(run: () => Promise<Record<string, FloatTensor>>, beaten: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < TIMED && (i === 0 || best < 2 * beaten); i++) {
    const start = performance.now()
    await run()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

const shown = (milliseconds: number) => `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`
