import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { some } from '../base/count.ts'
import { UsageError } from '../base/errors.ts'
import { CLAIM } from '../node/claim.ts'
import { checkWritableFolder, ifThere } from '../node/files.ts'
import { jsonObjectIfAny } from '../node/run-folder.ts'

/** Files and folders that coop-ts report writes. */
const REPORT_NAMES = ['report.md', 'report.html', 'report.csv', 'report.tex', 'summary.csv', 'figures']
/** What is in the folder of a sweep. */
const SWEEP_NAMES = ['plan.yaml', 'runs', 'queue', ...REPORT_NAMES]

/** What is in a folder that is to be written to. */
export type Held =
  | { readonly kind: 'nothing' | 'sweep' | 'report' }
  | { readonly kind: 'run'; readonly method: string }
  | { readonly kind: 'others'; readonly names: readonly string[] }

/** Looks into a folder, which need not exist; hidden files (.DS_Store), the claim and the file `own` are not counted. */
export async function heldBy(folder: string, own?: string): Promise<Held> {
  const found = (await ifThere(folder, readdir(folder))) ?? []
  const ours = [join(resolve(folder), CLAIM), resolve(own ?? '')]
  const names = found.filter((name) => !name.startsWith('.') && !ours.includes(join(resolve(folder), name)))
  if (names.length === 0) return { kind: 'nothing' }
  const method = await methodOfRun(folder, names)
  if (method !== undefined) return { kind: 'run', method }
  const only = (known: readonly string[]) => names.every((name) => known.includes(name))
  const isPlanned = names.includes('plan.yaml')
  if (names.includes('runs') && (isPlanned || only(SWEEP_NAMES))) return { kind: 'sweep' }
  if (names.includes('queue') && isPlanned) return { kind: 'sweep' }
  if (only(['plan.yaml'])) return { kind: 'nothing' }
  return names.includes('report.html') && names.includes('report.csv') ? { kind: 'report' } : { kind: 'others', names }
}

/** The method of the run in a folder: a settings.json of another program names none. */
async function methodOfRun(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const file of ['settings.json', 'results.json']) {
    if (!names.includes(file)) continue
    const { method } = (await jsonObjectIfAny(join(folder, file))) ?? {}
    return typeof method === 'string' ? method : undefined
  }
  return undefined
}

/**
 * Refuses a folder with files of other people or other commands, unless `force` says to write beside them; whatever is
 * said, only files with the names of our own are ever replaced. What it may hold is `allowed`, or nothing.
 */
export async function checkOutFolder(
  folder: string,
  allowed: readonly Held['kind'][],
  { force = false, own }: { readonly force?: boolean; readonly own?: string } = {},
): Promise<Held> {
  const held = await heldBy(folder, own)
  if (!force && held.kind !== 'nothing' && !allowed.includes(held.kind)) {
    const remedy = 'choose another folder (--out), or write beside what is there (--force)'
    throw new UsageError(`${folder} holds ${heldText(held)}`, remedy)
  }
  await checkWritableFolder(folder)
  return held
}

function heldText(held: Held): string {
  if (held.kind === 'run') return `a run of ${held.method}`
  return held.kind === 'others' ? `other files: ${some(held.names)}` : `a ${held.kind}`
}
