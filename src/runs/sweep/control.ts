import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { anySignal } from '../../base/stop.ts'
import { writeFileAtomic } from '../../node/files.ts'
import { jsonObjectIfAny } from '../../node/run-folder.ts'

/** Of a sweep's folder: what its workers read. */
export const QUEUE_FOLDER = 'queue'
export const queueFile = (out: string, name: string): string => join(out, QUEUE_FOLDER, name)

/** What somebody wants of a sweep: to go on, to begin no more runs, or to stop. */
export const SWEEP_STATES = ['going', 'paused', 'cancelled'] as const
export type SweepState = (typeof SWEEP_STATES)[number]

const FILE = 'control.json'
const controlSchema = z.object({ state: z.enum(SWEEP_STATES) })
const LOOK_MS = 250

/** Somebody has ended a sweep from outside. */
export class CancelledError extends CoopError {}

/** What is wanted of the sweep in a folder; a file that cannot be read says nothing. */
export async function readState(out: string): Promise<SweepState> {
  const found = controlSchema.safeParse(await jsonObjectIfAny(queueFile(out, FILE)))
  return found.data?.state ?? 'going'
}

export async function writeState(out: string, state: SweepState): Promise<void> {
  if (state === 'going') await rm(queueFile(out, FILE), { force: true })
  else await writeFileAtomic(queueFile(out, FILE), `${JSON.stringify({ state })}\n`)
}

/** What is wanted of a sweep, as its processes see it. */
export interface Control {
  /** Waits as long as the sweep is paused. */
  whileGoing(signal?: AbortSignal): Promise<void>
}

/** Looks four times a second what is wanted of a sweep while some work of it is done; `cancelled` stops the work. */
export async function underControl<T>(
  out: string,
  hooks: Hooks,
  work: (hooks: Hooks, control: Control) => Promise<T>,
  onChange: (state: SweepState) => Promise<void> = async () => {},
): Promise<T> {
  const cancelled = new AbortController()
  let state: SweepState = 'going'
  let changed: number | undefined
  const look = async () => {
    const found = await stat(queueFile(out, FILE)).catch(() => undefined)
    if (found?.mtimeMs === changed) return
    changed = found?.mtimeMs
    const now = await readState(out)
    if (now === state) return
    state = now
    if (now === 'paused') hooks.onWarning?.('paused: no more runs are begun until it is resumed')
    if (now === 'cancelled') {
      cancelled.abort(
        new CancelledError(
          `the sweep in ${out} was cancelled`,
          `start it again: coop-ts sweep PLAN; for workers alone: coop-ts sweep resume ${out}`,
        ),
      )
    }
    await onChange(now)
  }
  await look()
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS).unref()
  const control: Control = {
    async whileGoing(signal) {
      await look()
      while (state === 'paused') await sleep(LOOK_MS, undefined, { signal })
    },
  }
  try {
    return await work({ ...hooks, signal: anySignal(hooks.signal, cancelled.signal) }, control)
  } finally {
    clearInterval(timer)
  }
}
