import { dirname, join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '../formats/json.ts'
import { readSchema } from '../formats/schema.ts'
import { LEFTOVER_AGE_MS, readText, removeLeftovers, writeFileAtomic } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { eventFile, type ScalarEvent } from '../report/tensorboard.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { runFile } from './run-folder.ts'
import { runsFolder, type SweepFolder } from './sweep-folder.ts'

/** A line of metrics.jsonl. A number that is none, as of a gradient that was not kept, is written as null. */
const stepSchema = z.object({
  step: z.int(),
  loss: z.number().nullable().optional(),
  learningRate: z.number().nullable().optional(),
  gradientNorm: z.number().nullable().optional(),
})
type MetricsLine = z.output<typeof stepSchema>

const TAGS = {
  loss: 'train/loss',
  learningRate: 'train/learning_rate',
  gradientNorm: 'train/gradient_norm',
} as const satisfies Partial<Record<keyof MetricsLine, string>>

/** One folder with an event file for each finished run, as TensorBoard lists them. Returns the files. */
export async function writeSweepEvents(sweeps: readonly SweepFolder[], out: string): Promise<string[]> {
  const written: string[] = []
  for (const sweep of sweeps) {
    const place = sweeps.length > 1 ? join(out, sweep.name) : out
    for (const { record } of sweep.found) {
      const metrics = runFile(join(runsFolder(sweep.folder), record.id), 'metrics')
      const steps = (await exists(metrics)) ? await readMetrics(metrics) : []
      // the name is fixed, so that the same run gives the same file, and a second report no second curve
      const file = join(place, record.id, 'events.out.tfevents.0.coop')
      const scalars = scalarsOf(record, steps)
      await removeLeftovers(dirname(file), LEFTOVER_AGE_MS)
      await writeFileAtomic(file, eventFile(scalars, scalars[0]?.time ?? endOf(record)), { sync: false })
      written.push(file)
    }
  }
  return written
}

/** Reads metrics.jsonl. Throws FileError naming file and line. */
export async function readMetrics(file: string): Promise<MetricsLine[]> {
  const lines = (await readText(file)).split('\n')
  return lines.flatMap((line, i) => {
    return line === '' ? [] : [readSchema(stepSchema, parseJson(line, file, i + 1), `${file}:${i + 1}`)]
  })
}

const endOf = ({ environment }: MeasuredRecord): number => Date.parse(environment.date) / 1000 || 0

/** Curves over steps and the accuracies at the end. Steps are taken to be evenly spread over the time of the run. */
export function scalarsOf(record: MeasuredRecord, steps: readonly MetricsLine[]): ScalarEvent[] {
  const end = endOf(record)
  const last = steps.at(-1)?.step ?? 0
  const curves = steps.flatMap((line) => {
    const time = end - (record.seconds * (last - line.step)) / Math.max(1, last)
    return (['loss', 'learningRate', 'gradientNorm'] as const).flatMap((key) => {
      const value = line[key]
      return value === undefined || value === null ? [] : [{ tag: TAGS[key], step: line.step, value, time }]
    })
  })
  const accuracies = [
    ['test/accuracy', record.accuracy] as const,
    ...Object.entries(record.elsewhere).map(([place, value]) => [`elsewhere/${place}`, value] as const),
  ]
  return [...curves, ...accuracies.map(([tag, value]) => ({ tag, step: last, value, time: end }))]
}
