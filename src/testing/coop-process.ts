import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Ended } from './coop.ts'

/** What Node is given to be `coop`. */
export const NODE = ['--import', 'tsx', fileURLToPath(new URL('../cli/main.ts', import.meta.url))]

/** `coop WORDS` in a process of its own; `meanwhile` may do something to it. */
export async function coopProcess(
  words: readonly string[],
  meanwhile?: (child: ChildProcess) => unknown,
): Promise<Ended> {
  const child = spawn(process.execPath, [...NODE, ...words])
  const written = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    written.stdout += text
  })
  child.stderr.on('data', (text) => {
    written.stderr += text
  })
  const status = new Promise<number | null>((resolve) => child.on('close', resolve))
  await meanwhile?.(child)
  return { status: await status, ...written }
}
