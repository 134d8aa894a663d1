import type { MeasuredRecord } from '../trained/record.ts'

export interface FailedRun {
  /** Name of its folder. */
  readonly id: string
  readonly message: string
  readonly remedy?: string
}

/** What a sweep left in its folder. */
export interface SweepRuns {
  /** How the report calls it. */
  readonly name: string
  readonly records: readonly MeasuredRecord[]
  readonly failed: readonly FailedRun[]
  /** Begun or planned, without a result. */
  readonly unfinished: readonly string[]
  /** Text of its plan. */
  readonly plan: string | undefined
}
