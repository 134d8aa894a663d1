import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageFolder } from '../src/node/package.ts'
import { type Figure, figure } from './bench.ts'

const BUILT = join(packageFolder(), '.cache', 'bench')

/** Builds the package as users have it: from source each start would take a second longer. */
export async function buildPackage(): Promise<void> {
  const tsdown = join(packageFolder(), 'node_modules', 'tsdown', 'dist', 'run.mjs')
  await promisify(execFile)(process.execPath, [tsdown, '--out-dir', BUILT, '--no-dts', '--log-level', 'error'], {
    cwd: packageFolder(),
  })
}

/** What a command of the built package took, the start of its process included. */
export interface Taken {
  readonly ms: number
  /** Most memory, in MB, that it held; where the system tells. */
  readonly memory?: number
}

/**
 * Runs a command of the built package to its end, or until it has written a text on standard error, and then no further.
 * Throws Error with what it said where it fails, or never writes that.
 */
export async function runCoop(words: readonly string[], until?: RegExp): Promise<Taken> {
  const started = performance.now()
  const child = spawn(process.execPath, [join(BUILT, 'cli', 'main.js'), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  let ms = Number.NaN
  let memory: number | undefined
  const look = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    const kilobytes = /^VmHWM:\s+(\d+)/m.exec(status)?.[1]
    if (kilobytes !== undefined) memory = Number(kilobytes) / 1000
  }
  child.stderr.on('data', async (piece) => {
    said += piece
    if (until === undefined || !until.test(said) || !Number.isNaN(ms)) return
    ms = performance.now() - started
    await look()
    child.kill('SIGKILL')
  })
  const looking = setInterval(look, 50)
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  clearInterval(looking)
  if (until === undefined && status === 0) ms = performance.now() - started
  if (Number.isNaN(ms)) throw new Error(`coop-ts ${words.join(' ')}: status ${status}\n${said}`)
  return { ms, memory }
}

/** Rows of what a command took, again and again; memory only where the system tells. */
export function figuresOf(name: string, size: number | string, metric: string, taken: readonly Taken[]): Figure[] {
  const memory = taken.flatMap((one) => one.memory ?? [])
  const times = taken.map(({ ms }) => ms / 1000)
  return [
    figure(name, size, metric, 's', times),
    ...(memory.length === 0 ? [] : [figure(name, size, 'memory', 'MB', memory)]),
  ]
}
