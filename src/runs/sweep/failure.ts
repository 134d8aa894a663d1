import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CoopError, DivergedError, ShapeError, UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { withoutSecrets } from '../../base/secrets.ts'
import { ClaimedError } from '../../node/claim.ts'
import { writeFileAtomic } from '../../node/files.ts'
import { jsonObjectIfAny } from '../../node/run-folder.ts'
import type { RunRecord } from '../../trained/record.ts'
import { runFile } from '../run-folder.ts'
import { runsFolder } from '../sweep-folder.ts'
import { statesOf } from './run-state.ts'

/** How often a run is tried before it is set aside. */
export const ATTEMPTS = 3
/** How often a run may lose the worker that does it before it is set aside. */
export const MAX_LOST = 10
/** Milliseconds before the second attempt; each later one waits twice as long. */
export const BACK_OFF_MS = 500

export const failureSchema = z.object({
  message: z.string(),
  remedy: z.string().optional(),
  /** Of an error that is not ours. */
  stack: z.string().optional(),
  attempts: z.int().min(1).default(1),
})
/** Why a run is set aside, as error.json of its folder has it. */
export type RunFailure = Readonly<z.output<typeof failureSchema>>

/** A worker that lacks a data set or a model of a run, which another may have. */
export class LackingError extends CoopError {}

/** Whether a run is another's to do: one that is at it, or one that has what is lacking here. */
export const isLeft = (error: unknown): error is ClaimedError | LackingError =>
  error instanceof ClaimedError || error instanceof LackingError

/** Whether an error comes again however often a run is tried. */
export const isFinal = (error: unknown): boolean =>
  [UsageError, ShapeError, DivergedError].some((kind) => error instanceof kind)

export function failureOf(error: unknown, attempts: number): RunFailure {
  const told = (text: string) => withoutSecrets(text, process.env)
  const message = told(error instanceof Error ? error.message : String(error))
  const isOurs = error instanceof CoopError
  const stack = error instanceof Error && !isOurs ? told(error.stack ?? '') : undefined
  return { message, remedy: isOurs ? error.remedy : undefined, stack, attempts }
}

/** Why a run is set aside that was begun so often by processes that were lost. */
export const lostFailure = (id: string, times: number): RunFailure => ({
  message: `${id} was begun ${times} times by processes that were lost: they may have had too little memory`,
  remedy: 'do it by itself: coop-ts sweep PLAN',
  attempts: times,
})

/** Keeps why a run failed in its folder; its checkpoint goes, so that the next try begins anew. */
export async function keepFailure(folder: string, failure: RunFailure): Promise<void> {
  await rm(runFile(folder, 'checkpoint'), { force: true })
  await writeFileAtomic(runFile(folder, 'error'), `${JSON.stringify(failure, null, 2)}\n`)
}

/** Why the run in a folder is set aside, as far as that can be read. */
export async function readFailure(folder: string): Promise<RunFailure> {
  const found = failureSchema.safeParse(await jsonObjectIfAny(runFile(folder, 'error')))
  return found.data ?? { message: `${runFile(folder, 'error')} cannot be read`, attempts: 1 }
}

/** Has runs of a sweep tried again that were set aside. Returns which these were, of the ones that are named. */
export async function forgetFailures(out: string, ids: readonly string[]): Promise<string[]> {
  const states = await statesOf(out, ids)
  const aside = ids.filter((_, i) => states[i] === 'aside')
  for (const id of aside) await rm(runFile(join(runsFolder(out), id), 'error'), { force: true })
  return aside
}

/** A run that is tried several times: its result, or why it is set aside. Throws when it is stopped, or left to another. */
export async function attempt(run: () => Promise<RunRecord>, { signal }: Hooks): Promise<RunRecord | RunFailure> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await run()
    } catch (error) {
      signal?.throwIfAborted()
      if (isLeft(error)) throw error
      if (attempts === ATTEMPTS || isFinal(error)) return failureOf(error, attempts)
      await sleep(BACK_OFF_MS * 2 ** (attempts - 1), undefined, { signal })
    }
  }
}

export const isFailure = (ended: RunRecord | RunFailure): ended is RunFailure => 'attempts' in ended
