import { expect } from 'vitest'
import type { Command } from '../cli/command.ts'
import { createCoop } from '../cli/coop.ts'

/** What a command left behind. */
export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `coop WORDS` in this process. */
export const coop = (...words: readonly string[]): Promise<Ended> => ended(words)

/** The same with other commands than those of `coop`. */
export async function ended(words: readonly string[], commands?: readonly Command[]): Promise<Ended> {
  const written = { stdout: '', stderr: '' }
  const into = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const status = await createCoop(words, { stdout: into('stdout'), stderr: into('stderr') }, commands).run()
  return { status, ...written }
}

/** The one line of JSON that `--json` promises on standard output. */
export function onlyJson({ stdout }: Ended): unknown {
  expect(stdout).toMatch(/^[^\n]+\n$/)
  return JSON.parse(stdout)
}

/** A failure as it should be: one object on standard output, message and remedy, no stack, no blame on coop itself. */
export function expectFailure(ended: Ended, status: number, message: RegExp): void {
  const { stderr } = ended
  const { error, remedy } = Object.assign({ error: '', remedy: '' }, onlyJson(ended))
  expect(error).toMatch(message)
  expect(remedy).toMatch(/\w/)
  expect(remedy).not.toMatch(/mistake in coop/)
  expect(stderr).toContain('coop-ts: ')
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(ended.status).toBe(status)
}
