import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Case, chosenReaders, readerOf } from './cases.ts'
import { CORPUS } from './corpus.ts'
import type { Reader } from './reader.ts'

/** Cases that a worker is to read. */
export interface Order {
  readonly cases: readonly Case[]
}

/** How a case ended. */
export interface Ended {
  readonly case: Case
  readonly outcome: 'accepted' | 'refused' | 'finding'
  readonly error?: string
  readonly ms: number
  /** Bytes that the process holds. */
  readonly memory: number
}

export interface Finding {
  readonly reader: string
  readonly case: Case
  readonly error: string
}

/** What became of the cases of one reader. */
export interface Tally {
  cases: number
  refused: number
  accepted: number
  findings: number
  /** Milliseconds: of all together, and of the one that took longest. */
  ms: number
  slowest: number
}

export interface FuzzOptions {
  readonly cases: number
  readonly seed: number
  /** First case; default 0. */
  readonly from?: number
  /** Readers by name; default all. */
  readonly readers?: readonly string[]
  readonly workers?: number
  readonly onFinding?: (finding: Finding) => void
  readonly onProgress?: (done: number) => void
}

/** A case that takes longer hangs. */
const MOST_MS = 5000
/** A worker that holds more is replaced; the cases that made it so large are not lost, see MOST_GROWTH. */
const MOST_MEMORY = 1 << 30
const HEAP_MB = 1024
const BLOCK = 250

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

/** Reads what failed once, then mutated inputs, in processes of their own, and goes on whatever becomes of them. */
export async function fuzz(options: FuzzOptions): Promise<{ findings: Finding[]; tallies: Map<string, Tally> }> {
  const { cases, seed, from = 0, readers: names = [], workers = 2, onFinding, onProgress } = options
  const readers = chosenReaders(names)
  const tallies = new Map<string, Tally>(
    readers.map(({ name }) => [name, { cases: 0, refused: 0, accepted: 0, findings: 0, ms: 0, slowest: 0 }]),
  )
  const findings: Finding[] = []
  let done = 0
  const note = ({ case: which, outcome, error = '', ms }: Omit<Ended, 'memory'>) => {
    const { name } = readerOf(which)
    const tally = tallies.get(name)
    if (tally === undefined) return
    tally.cases++
    tally.ms += ms
    tally.slowest = Math.max(tally.slowest, ms)
    tally[outcome === 'finding' ? 'findings' : outcome]++
    if (outcome === 'finding') {
      findings.push({ reader: name, case: which, error })
      onFinding?.({ reader: name, case: which, error })
    }
    onProgress?.(++done)
  }
  const numbers = numbersFor(readers, from)
  let left = cases
  let kept: readonly Case[] = [...CORPUS.keys()].filter((name) => readers.includes(readerOf(name)))
  const takeBlock = (): readonly Case[] => {
    if (kept.length > 0) {
      const all = kept
      kept = []
      return all
    }
    const block = Array.from({ length: Math.min(BLOCK, left) }, () => numbers.next().value)
    left -= block.length
    return block
  }
  await Promise.all(
    Array.from({ length: workers }, async () => {
      let worker: Worker | undefined
      for (let block = takeBlock(); block.length > 0; block = takeBlock()) {
        while (block.length > 0) {
          worker ??= new Worker(seed)
          const { ended, fault } = await worker.read(block)
          for (const each of ended) note(each)
          block = block.slice(ended.length)
          if (fault !== undefined) {
            const [suspect, ...rest] = block
            if (suspect !== undefined) note(await confirmed(suspect, fault, seed))
            block = rest
          }
          if (fault !== undefined || (ended.at(-1)?.memory ?? 0) > MOST_MEMORY) {
            worker.end()
            worker = undefined
          }
        }
      }
      worker?.end()
    }),
  )
  return { findings, tallies }
}

/** Numbers of the cases that are for these readers. */
function* numbersFor(readers: readonly Reader[], from: number): Generator<number, never> {
  for (let i = from; ; i++) if (readers.includes(readerOf(i))) yield i
}

/** A case in which a worker hung or died, once more alone: a busy machine is no hang. A death counts in any case. */
async function confirmed(which: Case, fault: string, seed: number): Promise<Omit<Ended, 'memory'>> {
  const alone = new Worker(seed)
  const again = await alone.read([which])
  alone.end()
  const [ended] = again.ended
  if (ended !== undefined && (ended.outcome === 'finding' || fault === HANGS)) return ended
  const error = again.fault ?? `${fault}, among other cases`
  return { case: which, outcome: 'finding', error, ms: MOST_MS }
}

const HANGS = `takes more than ${MOST_MS / 1000} s`

class Worker {
  readonly #process: ChildProcess
  #fresh = true

  constructor(seed: number) {
    const execArgv = ['--import', 'tsx', `--max-old-space-size=${HEAP_MB}`]
    this.#process = fork(WORKER, [String(seed)], {
      execArgv,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
  }

  /** Reads cases in their order; those that ended, and what kept it from the next. */
  read(cases: readonly Case[]): Promise<{ ended: Ended[]; fault?: string }> {
    const ended: Ended[] = []
    let errors = ''
    return new Promise((resolve) => {
      const child = this.#process
      const finish = (fault?: string) => {
        clearTimeout(timer)
        child.off('message', onMessage).off('exit', onExit)
        child.stderr?.off('data', onError)
        resolve({ ended, fault })
      }
      // a new process has to start and to make its first seeds
      const patience = () => setTimeout(() => finish(HANGS), this.#fresh ? 12 * MOST_MS : MOST_MS)
      let timer = patience()
      const onMessage = (message: Ended) => {
        this.#fresh = false
        ended.push(message)
        clearTimeout(timer)
        if (ended.length === cases.length) return finish()
        timer = patience()
      }
      const onExit = (code: number | null, signal: string | null) =>
        finish(`ends the process (${signal ?? `status ${code}`}) ${errors.trim().slice(0, 500)}`.trim())
      const onError = (text: Buffer) => {
        errors += text
      }
      child.on('message', onMessage).on('exit', onExit)
      child.stderr?.on('data', onError)
      child.send({ cases } satisfies Order)
    })
  }

  end(): void {
    if (this.#process.connected) this.#process.disconnect()
    setTimeout(() => this.#process.kill('SIGKILL'), 1000).unref()
  }
}
