import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { MAX_SEED } from '../../base/bounds.ts'
import { mapBreathing } from '../../base/breathe.ts'
import { FileError } from '../../base/errors.ts'
import { shotsSchema } from '../../data/fewshot.ts'
import { CLASS_SPLITS } from '../../data/halves.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import { readText, writeFileAtomic } from '../../node/files.ts'
import { exists } from '../../node/run-folder.ts'
import { EXIF_WAYS } from '../../pictures/picture.ts'
import { TRANSFORMS_NAMES } from '../../pictures/transforms.ts'
import { viewsSchema } from '../../pictures/views.ts'
import type { Job } from '../../trained/job.ts'
import { queueFile } from './control.ts'

const settings = z.record(z.string(), z.unknown())

/** A job as another process wrote it. */
export const jobSchema = z.strictObject({
  // it names a folder
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,250}$/, { error: 'expected letters, digits and hyphens' }),
  dataset: z.string(),
  model: z.string(),
  method: z.string(),
  title: z.string(),
  settings,
  planned: settings.optional(),
  shots: z.union([shotsSchema, z.literal(0)]),
  validates: z.boolean().optional(),
  folds: z.int().min(2).optional(),
  calibrate: z.literal(true).optional(),
  crossValidate: z.literal(true).optional(),
  sets: z.number().optional(),
  errorRate: z.number().optional(),
  testShare: z.number().optional(),
  seed: z.int().min(0).max(MAX_SEED),
  views: viewsSchema,
  transforms: z.enum(TRANSFORMS_NAMES),
  split: z.enum(CLASS_SPLITS),
  elsewhere: z.array(z.string()),
  paths: z.record(z.string(), z.string()),
  root: z.string().optional(),
}) satisfies z.ZodType<Job>

/** What decides the numbers of all runs of a sweep beside their jobs, and what its workers must know beforehand. */
export const headSchema = z.strictObject({
  version: z.literal(1),
  /** Of this list alone: a folder that has it is the sweep's own, wherever it is seen from. */
  token: z.uuid(),
  /** Bytes of the largest model. */
  weights: z.number(),
  /** Runs of the whole plan: the list has those that were left. */
  runs: z.int().optional(),
  skipBadImages: z.boolean().optional(),
  exif: z.enum(EXIF_WAYS).optional(),
  imageColumn: z.string().optional(),
  labelColumn: z.string().optional(),
  checkpointSeconds: z.number().optional(),
  /** What was typed, a word each, which results.json keeps. */
  command: z.array(z.string()).optional(),
})
export type ListHead = z.output<typeof headSchema>

/** The runs of a sweep for its workers, in the order in which they are best done. */
export interface RunList {
  readonly head: ListHead
  readonly jobs: readonly Job[]
}

const LIST = 'list.jsonl'
const REMEDY = 'start the sweep again, which writes it anew'

export const listFile = (out: string): string => queueFile(out, LIST)

export const newHead = (head: Omit<ListHead, 'version' | 'token'>): ListHead => ({
  version: 1,
  token: randomUUID(),
  ...head,
})

/** Writes the list into the sweep's folder: a line for its head, and one a job. */
export async function writeList(out: string, { head, jobs }: RunList): Promise<void> {
  const lines = await mapBreathing([head, ...jobs], (line) => JSON.stringify(line))
  await writeFileAtomic(listFile(out), `${lines.join('\n')}\n`)
}

/** Throws FileError where there is none, or it is damaged. */
export async function readList(out: string): Promise<RunList> {
  const file = listFile(out)
  if (!(await exists(file))) {
    const remedy = 'give the folder of a sweep that was started: coop-ts sweep PLAN'
    throw new FileError(`${out} has no list of runs: there is no ${file}`, remedy)
  }
  const [first = '', ...lines] = (await readText(file)).trimEnd().split('\n')
  const head = readSchema(headSchema, parseJson(first, file), file, REMEDY)
  const jobs = await mapBreathing(lines, (line) => readJob(parseJson(line, file), file))
  return { head, jobs }
}

/** The token of the list in a folder; undefined where there is none that can be read. */
export async function readToken(out: string): Promise<string | undefined> {
  const file = await open(listFile(out)).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    for await (const line of file.readLines()) return headSchema.safeParse(JSON.parse(line)).data?.token
  } catch {
    // what is no list has none
  } finally {
    await file.close().catch(() => undefined)
  }
  return undefined
}

/** Throws FileError for what is no job. */
export function readJob(value: unknown, where: string): Job {
  if (typeof value !== 'object') throw new FileError(`${where}: expected a job, found ${typeof value}`, REMEDY)
  return readSchema(jobSchema, value, where, REMEDY)
}
