import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mapLimited } from '../../base/overlap.ts'
import { CLAIM } from '../../node/claim.ts'
import { ifThere } from '../../node/files.ts'
import { RUN_FILES } from '../../trained/run-files.ts'
import { runsFolder } from '../sweep-folder.ts'

/** What there is of a run: its result, why it is set aside, somebody's claim, or none of these. */
export type RunState = 'done' | 'aside' | 'claimed' | 'waiting'

/** What each file of a run's folder says; the first that is there counts. */
const SIGNS = [
  [RUN_FILES.results, 'done'],
  [RUN_FILES.error, 'aside'],
  [CLAIM, 'claimed'],
] as const

/** Folders that are looked into at a time. */
const LOOKS = 32

export async function stateOf(out: string, id: string): Promise<RunState> {
  const folder = join(runsFolder(out), id)
  const names = (await ifThere(folder, readdir(folder))) ?? []
  return SIGNS.find(([name]) => names.includes(name))?.[1] ?? 'waiting'
}

/** The states of many runs, in their order. */
export async function statesOf(out: string, ids: readonly string[]): Promise<RunState[]> {
  const begun = new Set((await ifThere(runsFolder(out), readdir(runsFolder(out)))) ?? [])
  return mapLimited(ids, LOOKS, async (id) => (begun.has(id) ? stateOf(out, id) : 'waiting'))
}
