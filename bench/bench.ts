import type { Runtime } from '../src/runtime/types.ts'
import { median } from './measure.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly threads: number
}

/** Something measured: median and spread of its runs. Without runs `metric` says why there are none. */
export interface Row {
  /** The bench that measured it. */
  readonly group: string
  readonly name: string
  /** Classes, images, shots ...: what grows; or the name of an architecture. */
  readonly size: number | string
  readonly metric: string
  readonly unit: string
  readonly median: number | null
  readonly min: number | null
  readonly max: number | null
  readonly runs: number
}

export type Figure = Omit<Row, 'group'>

export interface BenchResult {
  readonly figures: readonly Figure[]
  /** What follows from the figures, in words. */
  readonly notes: readonly string[]
}

/** A measurement with a name; it has a runtime to itself, closed after it. */
export interface Bench {
  readonly name: string
  readonly about: string
  /** Takes many minutes: runs in full only when it is named. */
  readonly long?: boolean
  run(runtime: Runtime, options: BenchOptions): Promise<BenchResult>
}

export function figure(
  name: string,
  size: number | string,
  metric: string,
  unit: string,
  raw: readonly number[],
): Figure {
  return {
    name,
    size,
    metric,
    unit,
    median: median(raw),
    min: Math.min(...raw),
    max: Math.max(...raw),
    runs: raw.length,
  }
}

/** What could not be measured, and why: `not installed`, or too large for this machine. */
export const absent = (name: string, size: number | string, why: string): Figure => ({
  name,
  size,
  metric: why,
  unit: '',
  median: null,
  min: null,
  max: null,
  runs: 0,
})

export const NOT_INSTALLED = 'not installed'
