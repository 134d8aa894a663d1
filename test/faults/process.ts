import { type ChildProcess, spawn } from 'node:child_process'
import type { Ended } from '../../src/testing/coop.ts'

export interface Way {
  readonly env?: Readonly<Record<string, string>>
  /** Given to Node before the program, such as `--import FILE`. */
  readonly node?: readonly string[]
  /** A command that runs Node as its words, such as one that limits its memory. */
  readonly within?: readonly string[]
  readonly cwd?: string
  /** Another user. */
  readonly uid?: number
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended & { readonly ms: number }>
}

/** The environment of this process without what would change what commands do. */
const { HF_HOME: _, HF_HUB_CACHE: __, HF_HUB_OFFLINE: ___, HF_TOKEN: ____, ...ENVIRONMENT } = process.env

/** Starts a file of JavaScript in a process of its own. */
export function start(words: readonly string[], { env, node = [], within = [], cwd, uid }: Way = {}): Running {
  const [command = '', ...rest] = [...within, process.execPath, ...node, ...words]
  const child = spawn(command, rest, {
    env: { ...ENVIRONMENT, ...env },
    cwd,
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const started = performance.now()
  const written = { stdout: '', stderr: '' }
  child.stdout?.on('data', (text) => {
    written.stdout += text
  })
  child.stderr?.on('data', (text) => {
    written.stderr += text
  })
  const ended = new Promise<Ended & { ms: number }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...written, ms: performance.now() - started }))
  })
  return { child, ended }
}

/** A command that takes longer than this hangs. */
export const MOST_MS = 180_000

/** How a process ends; one that hangs is killed, and says so. */
export async function endOf({ child, ended }: Running, most = MOST_MS): Promise<Ended & { readonly ms: number }> {
  let hangs = false
  const timer = setTimeout(() => {
    hangs = true
    child.kill('SIGKILL')
  }, most)
  const end = await ended
  clearTimeout(timer)
  return hangs ? { ...end, stderr: `${end.stderr}\nhung: killed after ${most / 1000} s` } : end
}

/** The last lines that a process wrote on standard error, or what it ended with. */
export function lastWords({ status, stderr }: Ended): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '' && !/\[[= ]+\]/.test(line))
  return `status ${status}: ${lines.slice(-4).join(' | ').slice(0, 600)}`
}
