import { z } from 'zod'

// Each numeric setting has an upper bound (see base/bounds.ts).

export const MAX_EPOCHS = 100_000
export const MAX_CONTEXT = 1000
/** Above it the first step ends in numbers that are none. */
export const MAX_RATE = 1e30

/** A whole number in these bounds. */
export function wholeNumber(min: number, max: number) {
  const error = expected(`a whole number from ${min} to ${max}`)
  return z.int({ error }).min(min, { error }).max(max, { error })
}

/** A number in these bounds. */
export function anyNumber(min: number, max: number) {
  const error = expected(`a number from ${min} to ${max}`)
  return z.number({ error }).min(min, { error }).max(max, { error })
}

/** A number above 0 up to a bound. */
export function positiveNumber(max: number) {
  const error = expected(`a number above 0, up to ${max}`)
  return z.number({ error }).positive({ error }).max(max, { error })
}

const expected =
  (what: string) =>
  ({ input }: { readonly input?: unknown }) =>
    `expected ${what}, received ${typeof input === 'number' ? input : JSON.stringify(input)}`
