import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { some } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import { mapLimited } from '../../base/overlap.ts'
import { shotsSchema } from '../../data/fewshot.ts'
import { parseJson } from '../../formats/json.ts'
import { claimOf } from '../../node/claim.ts'
import { ifThere, readText, statIfThere } from '../../node/files.ts'
import { seemsAtWork } from '../../node/owner.ts'
import { jsonObjectIfAny } from '../../node/run-folder.ts'
import type { Job } from '../../trained/job.ts'
import { runFile } from '../run-folder.ts'
import { runsFolder } from '../sweep-folder.ts'
import { queueFile, readState, type SweepState } from './control.ts'
import { readFailure } from './failure.ts'
import { timeLeft } from './jobs.ts'
import { listFile, readList } from './list.ts'
import { statesOf } from './run-state.ts'

/** A run under way, and who does it. */
const runningSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int().optional(),
  /** ISO 8601. */
  since: z.string(),
  doing: z.string().optional(),
})
export type RunningRun = Readonly<z.output<typeof runningSchema>>

/** A run that is set aside, and why. */
export interface AsideRun {
  readonly id: string
  readonly title: string
  readonly error: string
  readonly remedy?: string
  readonly attempts: number
}

/** How far a sweep is. */
export interface SweepStatus {
  /** Folder of the sweep. */
  readonly out: string
  readonly state: SweepState
  /** The process of the sweep itself, where it is at work; workers are seen by their runs. */
  readonly process?: Pick<RunningRun, 'host' | 'pid' | 'since'>
  readonly runs: number
  readonly done: number
  readonly running: readonly RunningRun[]
  readonly waiting: number
  readonly aside: readonly AsideRun[]
  /** Of as many workers as are seen, one where there is none; not known before a run has finished. */
  readonly secondsLeft: number | undefined
}

/** Runs under way that workers of other folders do: whoever waits for them writes them here. */
export const RUNNING_FILE = 'running.json'

/** Results that are read to tell the time that is left. */
const SAMPLE = 200
const READS = 16

/** What is seen in a sweep's folder. Throws FileError where there is no list of runs. */
export async function sweepStatus(out: string): Promise<SweepStatus> {
  const { head, jobs } = await readList(out)
  const ids = jobs.map(({ id }) => id)
  const states = await statesOf(out, ids)
  const inState = (wanted: (typeof states)[number]) => jobs.filter((_, i) => states[i] === wanted)
  const [done, claimed, waiting] = [inState('done'), inState('claimed'), inState('waiting')]
  const left = [...claimed, ...waiting]
  const sweeper = await whoClaims(out)
  const running = await runningOf(out, claimed, left, sweeper !== undefined)
  const aside = await mapLimited(inState('aside'), READS, async ({ id, title }) => {
    const { message, remedy, attempts } = await readFailure(join(runsFolder(out), id))
    return { id, title, error: message, remedy, attempts }
  })
  const finished = await timesOf(
    out,
    done.map(({ id }) => id),
  )
  const runs = head.runs ?? jobs.length
  return {
    out,
    state: await readState(out),
    process: sweeper,
    runs,
    done: runs - left.length - aside.length,
    running,
    waiting: left.length - running.length,
    aside,
    secondsLeft: left.length === 0 ? 0 : timeLeft(left, finished, Math.max(1, running.length)),
  }
}

/** Runs whose claim somebody keeps, and while somebody waits for workers elsewhere (`isTold`), what is known of theirs. */
async function runningOf(
  out: string,
  claimed: readonly Job[],
  left: readonly Job[],
  isTold: boolean,
): Promise<RunningRun[]> {
  const here = await mapLimited(claimed, READS, async ({ id }): Promise<RunningRun[]> => {
    const who = await whoClaims(join(runsFolder(out), id))
    return who ? [{ id, ...who }] : []
  })
  const found = here.flat()
  const known = new Set(found.map(({ id }) => id))
  const open = new Set(left.map(({ id }) => id))
  const told = isTold ? await toldRuns(out) : []
  return [...found, ...told.filter(({ id }) => open.has(id) && !known.has(id))]
}

/** Who is at work in a folder, as far as that is seen at once. */
async function whoClaims(folder: string) {
  const claim = await claimOf(folder)
  if (claim === undefined || !seemsAtWork(claim, claim.seen)) return undefined
  const { host, pid, since } = claim
  return { host, pid, since }
}

/** What queue/running.json says; a file that cannot be read says nothing. */
async function toldRuns(out: string): Promise<readonly RunningRun[]> {
  const file = queueFile(out, RUNNING_FILE)
  const text = await ifThere(file, readText(file))
  try {
    return z.array(runningSchema).parse(text === undefined ? [] : parseJson(text, file))
  } catch {
    return []
  }
}

const timedSchema = z.object({ title: z.string(), shots: z.union([shotsSchema, z.literal(0)]), seconds: z.number() })

/** Times of some runs: of these, or where there are none, of others in the folder. */
async function timesOf(out: string, ids: readonly string[]) {
  const all = ids.length > 0 ? ids : ((await ifThere(runsFolder(out), readdir(runsFolder(out)))) ?? [])
  const step = Math.max(1, Math.ceil(all.length / SAMPLE))
  const sample = all.filter((_, i) => i % step === 0)
  const read = await mapLimited(sample, READS, async (id) => {
    const value = await jsonObjectIfAny(runFile(join(runsFolder(out), id), 'results')).catch(() => undefined)
    return timedSchema.safeParse(value).data ?? []
  })
  return read.flat()
}

/** The only sweep below runs/. Throws UsageError where there is none, or several. */
export async function onlySweep(): Promise<string> {
  const names = (await ifThere('runs', readdir('runs'))) ?? []
  const sweeps: string[] = []
  for (const name of names.sort()) {
    if ((await statIfThere(listFile(join('runs', name)))) !== undefined) sweeps.push(join('runs', name))
  }
  const [only] = sweeps
  if (only !== undefined && sweeps.length === 1) return only
  const what = sweeps.length === 0 ? 'there is no sweep in runs/' : `there are several sweeps in runs/: ${some(sweeps)}`
  throw new UsageError(what, 'give the folder of the sweep: coop-ts sweep status FOLDER')
}
