import type { Runtime } from '../src/runtime/types.ts'
import { median } from './measure.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly threads: number
}

/** Something measured: the median of its raw values. */
export interface Figure {
  readonly what: string
  readonly unit: string
  readonly median: number
  readonly raw: readonly number[]
}

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

export function figure(what: string, unit: string, raw: readonly number[]): Figure {
  return { what, unit, median: median(raw), raw }
}
