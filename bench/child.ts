import { spawn } from 'node:child_process'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'

/**
 * Does a task in a process of its own, so that its memory can be told, and that it may be too much: runs a file of this
 * folder, which is given the task as JSON and prints its answer as JSON.
 *
 * @throws Error that says how it ended, where it printed none
 */
export async function inProcess<T>(file: string, task: unknown, answer: z.ZodType<T>): Promise<T> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<string>((resolve) => {
    child.on('close', (status, signal) => resolve(signal ?? `status ${status}`))
  })
  const said: unknown = await json(child.stdout).catch(() => undefined)
  const how = await ended
  if (how !== 'status 0') throw new Error(`it ended by ${how}`)
  return answer.parse(said)
}
