import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { ifThere } from '../../node/files.ts'

/** Rows of a study, one JSON line each in a file: a study that was stopped goes on where it was. */
export interface KeptRows<Row> {
  readonly rows: readonly Row[]
  add(row: Row): Promise<void>
}

export async function keptRows<Row>(file: string, schema: z.ZodType<Row>): Promise<KeptRows<Row>> {
  await mkdir(dirname(file), { recursive: true })
  const text = (await ifThere(file, readFile(file, 'utf8'))) ?? ''
  // a line that was cut off by a kill is measured again
  const rows = text.split('\n').flatMap((line) => {
    try {
      return [schema.parse(JSON.parse(line))]
    } catch {
      return []
    }
  })
  return {
    rows,
    async add(row) {
      rows.push(row)
      await appendFile(file, `${JSON.stringify(row)}\n`)
    },
  }
}

/** Mean and sample deviation. */
export function spread(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return { mean, sd: Math.sqrt(squares / Math.max(1, values.length - 1)) }
}

/** Seconds of processor time, of all threads, that some work takes: what other programs do meanwhile does not count. */
export async function processorSeconds<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { result, seconds: (user + system) / 1e6 }
}

/** A Markdown table. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}
