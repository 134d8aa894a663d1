import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Work {
  readonly kind: 'train' | 'sweep'
  /** Data set or plan. */
  readonly what: string
  readonly options: Readonly<Record<string, unknown>>
}

const CHILD = fileURLToPath(new URL('run-child.ts', import.meta.url))

/** Does some work in a process of its own; resolves to its exit status, null where it was killed. */
export function begin(work: Work) {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(work)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { child, ended }
}

/** Lines of all metrics.jsonl in a folder and those below it: steps that have been taken. */
export async function stepsTaken(folder: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true }).catch(() => [])).filter((f) => f.endsWith('metrics.jsonl'))
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8').catch(() => '')))
  return texts.reduce((sum, text) => sum + text.split('\n').length - 1, 0)
}

/**
 * Kills some work (kill -9) each time it has taken so many steps, begins it again, and lets it end at last. Returns how
 * often it was killed in the middle.
 */
export async function killed(work: Work, folder: string, moments: readonly number[]): Promise<number> {
  let kills = 0
  for (const moment of moments) {
    const { child, ended } = begin(work)
    while (child.exitCode === null && (await stepsTaken(folder)) < moment) await sleep(2)
    await sleep(10 * Math.random())
    child.kill('SIGKILL')
    if ((await ended) === null) kills++
  }
  const status = await begin(work).ended
  if (status !== 0) throw new Error(`after ${kills} kills the work ended with status ${status}`)
  return kills
}
