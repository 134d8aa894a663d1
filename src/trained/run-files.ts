import { FileError } from '../base/errors.ts'
import { sha256 } from '../base/sha256.ts'
import type { ByteSource } from '../formats/safetensors.ts'
import { HASH, openSealed, writeSealed } from '../formats/sealed.ts'
import type { CheckpointStore, Step, Tensors } from '../learning/types.ts'
import { readTensors } from './learned.ts'
import type { RunRecord } from './record.ts'

/** A run is a folder of plain files, each of which appears whole or not at all. */
export const RUN_FILES = {
  /** Written first: all that decides the result. */
  settings: 'settings.json',
  /** A line a step, written while it learns. */
  metrics: 'metrics.jsonl',
  /** Where a stopped run resumes; removed once the run has finished. */
  checkpoint: 'checkpoint.safetensors',
  /**
   * Logits of pictures learned from, by learners that had not seen them (`logits`), and by which of these (`folds`, from 1; 0:
   * none). Written while it learns; kept where they are what the run is measured by.
   */
  judged: 'out-of-fold.safetensors',
  /** What was learned, and all that is needed to use it. */
  learned: 'learned.safetensors',
  /** Written last: what it is worth. */
  results: 'results.json',
  /** Why a run of a sweep failed. */
  error: 'error.json',
  /** What coop-ts inspect wrote about it. */
  page: 'inspect.html',
} as const

export type RunFile = keyof typeof RUN_FILES

/** What a finished run does not keep: logits of many classes take more room than all else, and are asked for only where they measure it. */
export const unneeded = ({ measured }: Pick<RunRecord, 'measured'>): RunFile[] =>
  measured === 'cross-validated' ? [] : ['judged']

/** All that decides a run's numbers, as settings.json has it. */
export type Decisive = Readonly<Record<string, unknown>>

export const settingsText = (settings: Decisive): string => `${JSON.stringify(settings, null, 2)}\n`

/** results.json of a finished run, with a hash of all that is in it. */
export async function resultsText(record: RunRecord): Promise<string> {
  const environment = { ...record.environment, [HASH]: await sealOf(record) }
  const { confusion } = record
  const text = JSON.stringify({ ...record, confusion: confusion && '', environment }, null, 2)
  const rows = confusion?.map((row) => `\n    ${JSON.stringify(row)}`).join()
  return `${text.replace('\n  "confusion": ""', () => `\n  "confusion": [${rows}\n  ]`)}\n`
}

/**
 * Throws FileError where one digit of a result is not what was written; earlier versions wrote no hash, and what they wrote is
 * read as it is.
 */
export async function checkResults(
  value: Readonly<Record<string, unknown>>,
  file: string,
  remedy: string,
): Promise<void> {
  const seal: unknown = Object(value.environment)[HASH]
  if (seal === undefined || seal === (await sealOf(value))) return
  throw new FileError(`${file} is damaged: its content is not what was written`, remedy)
}

/** The hash of a result. It stands in its `environment`, for equal runs differ in that and in `seconds` alone. */
function sealOf(result: Readonly<Record<string, unknown>>): Promise<string> {
  const environment = { ...Object(result.environment), [HASH]: undefined }
  return sha256(JSON.stringify({ ...result, environment }))
}

/** Lines of metrics.jsonl. */
export const metricsText = (steps: readonly Step[]): string => steps.map((step) => `${JSON.stringify(step)}\n`).join('')

/** A damaged file of a run cannot be fetched again: this says what to do instead. */
export function orRemedy<T>(reading: Promise<T>, remedy: string): Promise<T> {
  return reading.catch((cause: unknown) => {
    throw cause instanceof FileError ? new FileError(cause.message, remedy, { cause }) : cause
  })
}

/** The checkpoint of a run, and how long it has been learning. */
export interface RunCheckpoint extends CheckpointStore {
  /** Seconds of learning up to now, those before a stop among them. */
  spent(): number
}

/** A file that is written whole or not at all. */
export interface CheckpointFile {
  /** Undefined where it is not there. */
  open(): Promise<ByteSource | undefined>
  write(content: Uint8Array<ArrayBuffer>): Promise<void>
}

/**
 * The checkpoint of a run in a file. One that was written with other settings, model or pictures is refused.
 * @param every seconds between writes
 * @param remedy what can be done about one that is refused
 */
export function runCheckpoint(
  { open, write }: CheckpointFile,
  settings: Decisive,
  { every, remedy }: { readonly every?: number; readonly remedy: string },
): RunCheckpoint {
  const of = sha256(settingsText(settings))
  const started = performance.now()
  let before = 0
  const spent = () => before + (performance.now() - started) / 1000
  async function read(source: ByteSource): Promise<Tensors> {
    const file = await openSealed(source)
    if (file.metadata.get('run') !== (await of)) throw new FileError(`${source.name} is a checkpoint of another run`)
    before = Number(file.metadata.get('seconds'))
    return readTensors(file)
  }
  return {
    seconds: every,
    spent,
    async read() {
      const source = await open()
      return source && orRemedy(read(source), remedy)
    },
    write: async (tensors) => write(await writeSealed(tensors, { run: await of, seconds: String(spent()) })),
  }
}
