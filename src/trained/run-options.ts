import { z } from 'zod'
import { aSeed, checkArguments, optional, wholeFrom } from '../base/arguments.ts'
import { MANY, MAX_PARALLEL, MAX_THREADS, MAX_VIEWS } from '../base/bounds.ts'
import { aPrecision } from '../clip/precision.ts'

function wholeOr(word: string, least: number, most: number) {
  const fits = (value: unknown) => value === word || wholeFrom(least, most).safeParse(value).success
  return z.custom<unknown>(fits, { error: `a whole number from ${least} to ${most}, or ${word}` })
}

const SECONDS = { error: `a number of seconds from 0 to ${MANY}` }

const SHARE = { error: 'a number from 0 to 1' }
const INNER_SHARE = { error: 'a number above 0 and below 1' }

const SCHEMAS = {
  seed: aSeed,
  precision: aPrecision,
  shots: wholeOr('all', 1, MANY),
  views: wholeOr('online', 0, MAX_VIEWS),
  parallel: wholeFrom(1, MAX_PARALLEL),
  workers: wholeFrom(1, MAX_PARALLEL),
  threads: wholeFrom(1, MAX_THREADS),
  reject: z.number(SHARE).min(0, SHARE).max(1, SHARE),
  sets: z.number(INNER_SHARE).gt(0, INNER_SHARE).lt(1, INNER_SHARE),
  errorRate: z.number(INNER_SHARE).gt(0, INNER_SHARE).lt(1, INNER_SHARE),
  checkpointSeconds: z.number(SECONDS).min(0, SECONDS).max(MANY, SECONDS),
} as const

/** Throws one UsageError for the options that say how much a run does, where they are no such numbers or out of bounds. */
export function checkRunOptions(
  caller: string,
  options: Readonly<Partial<Record<keyof typeof SCHEMAS, unknown>>>,
): void {
  const given = Object.entries(SCHEMAS).map(([name, schema]) => [name, optional(schema)] as const)
  checkArguments(caller, options, Object.fromEntries(given))
}
