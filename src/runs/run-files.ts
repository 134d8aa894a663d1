import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A run is a folder of plain files, each of which appears whole or not at all. */
export const RUN_FILES = {
  /** Written first: all that decides the result. */
  settings: 'settings.json',
  /** A line a step. */
  metrics: 'metrics.jsonl',
  /** From where a run that was stopped goes on. */
  checkpoint: 'checkpoint.safetensors',
  /** The learned prompt, of `coop train` with CoOp and of `coop import`. */
  prompt: 'prompt.safetensors',
  /** What any other method learned, and all runs of a sweep. */
  learned: 'learned.safetensors',
  /** Written last: what it is worth. */
  results: 'results.json',
  /** Why a run of a sweep failed. */
  error: 'error.json',
} as const

/** Removes all that a run has left but its settings. */
export async function clearRun(folder: string): Promise<void> {
  const { settings: _, ...left } = RUN_FILES
  await Promise.all(Object.values(left).map((file) => rm(join(folder, file), { force: true })))
}
