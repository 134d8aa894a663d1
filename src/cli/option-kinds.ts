import { z } from 'zod'
import { isTemplate, TEMPLATE_EXPECTED } from '../methods/zero-shot/templates.ts'

/** How an option looks on the command line. */
export interface Flag {
  readonly flag: `--${string}`
  /** Name of the value in the help; a flag without one is a switch. */
  readonly argument?: string
  /** May be given several times; the values are collected. */
  readonly repeat?: boolean
  readonly help: string
  /** What stands in the help for a default that is decided later. */
  readonly otherwise?: string
}

export const flags = z.registry<Flag>()

// Every message below completes the sentence "--flag expects ..., received ...".
const isNumber = (text: string) => text.trim() !== '' && Number.isFinite(Number(text))
const inRange = (min: number, max: number) => (value: number) => value >= min && value <= max

export function whole(min: number, max = Number.MAX_SAFE_INTEGER) {
  const error = `a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`
  return z
    .string({ error })
    .refine((text) => isNumber(text) && Number.isInteger(Number(text)) && inRange(min, max)(Number(text)), { error })
    .transform(Number)
}

/** A whole number of at least 0, or this word. */
export function wholeOr<const Word extends string>(word: Word) {
  return z.union([z.literal(word), whole(0)], { error: `a whole number of at least 0, or ${word}` })
}

export function positive() {
  const error = 'a number above 0'
  return z
    .string({ error })
    .refine((text) => isNumber(text) && Number(text) > 0, { error })
    .transform(Number)
}

/** Any text but that of a flag: in `--out --resume` the folder was forgotten. */
export function text(error: string) {
  return z.string({ error }).refine((value) => value.trim() !== '' && !value.startsWith('--'), { error })
}

export function oneOf<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words, { error: `one of ${words.join(', ')}` })
}

/** `a,b,c`, each part read by `part`. */
export function list<T extends z.ZodType<unknown, string>>(part: T, what: string) {
  const error = `${what}, separated by commas`
  return z
    .string({ error })
    .transform((value) => value.split(',').map((item) => item.trim()))
    .pipe(z.array(part, { error }).min(1))
}

export const template = text('a prompt').refine(isTemplate, { error: TEMPLATE_EXPECTED })

export const toggle = () => z.boolean().default(false)
