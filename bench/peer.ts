import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** A Python that has PyTorch, or scikit-learn, or both. */
const PYTHON = process.env.BENCH_PYTHON || 'python3'

/** A script of peers/, with so many threads. */
function start(
  script: string,
  args: readonly string[],
  threads: number,
): ChildProcessByStdio<Writable, Readable, null> {
  const count = String(threads)
  const env = { ...process.env, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count }
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url))
  const program = script.endsWith('.py') ? PYTHON : process.execPath
  const child = spawn(program, [path, ...args], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => {}) // it may have ended: what it needs is not installed
  return child
}

/** What a script prints as JSON; undefined where it cannot run, as something is not installed. */
export async function runPeer(script: string, args: readonly string[], threads: number): Promise<unknown> {
  const child = start(script, args, threads)
  const status = new Promise((resolve) => child.on('error', resolve).on('close', resolve))
  child.stdin.end()
  const said = await text(child.stdout)
  return (await status) === 0 ? JSON.parse(said) : undefined
}

/** A script that did its work once, and does it again for each line that it is sent. */
export interface WaitingPeer {
  /** The line that it printed first. */
  readonly said: string
  /** Milliseconds that it took by its own clock. */
  run(): Promise<number>
  close(): Promise<void>
}

/** Starts such a script; undefined where it cannot run. */
export async function waitingPeer(
  script: string,
  args: readonly string[],
  threads: number,
): Promise<WaitingPeer | undefined> {
  const child = start(script, args, threads)
  const ended = new Promise<void>((resolve) => child.on('error', () => resolve()).on('close', () => resolve()))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async () => {
    const next = await Promise.race([lines.next(), ended])
    return typeof next?.value === 'string' ? next.value : undefined
  }
  const said = await line()
  if (said === undefined) return undefined
  return {
    said,
    async run() {
      child.stdin.write('\n')
      const ms = await line()
      if (ms === undefined) throw new Error(`${script} has ended`)
      return Number(ms)
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}
