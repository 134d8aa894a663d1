import { z } from 'zod'
import { MANY } from '../base/bounds.ts'
import { UsageError } from '../base/errors.ts'

/** How an option looks on the command line. */
export interface Flag {
  readonly flag: `--${string}`
  /** One letter that means the same. */
  readonly short?: `-${string}`
  /** Name of the value in the help; a flag without one is a switch. */
  readonly argument?: string
  /** May be given several times; the values are collected. */
  readonly repeat?: boolean
  readonly help: string
  /** What the help shows for a default that is decided later. */
  readonly otherwise?: string
  /** What completion offers, where the schema does not say it. */
  readonly values?: readonly string[]
}

export const flags = z.registry<Flag>()

// Every message below completes the sentence "--flag expects ..., received ...".
function number(error: string, fits: (value: number) => boolean, max: number) {
  const isNumber = (text: string) => text.trim() !== '' && Number.isFinite(Number(text))
  return z
    .string({ error })
    .refine((text) => isNumber(text) && fits(Number(text)), { error, abort: true })
    .refine((text) => Number(text) <= max, { error: `no more than ${max}` })
    .transform(Number)
}

/** A number from 0 to 1; `below1`: less than 1. */
export function share({ below1 = false }: { readonly below1?: boolean } = {}) {
  const error = below1 ? 'a number from 0 to below 1' : 'a number from 0 to 1'
  return number(error, (value) => value >= 0 && (below1 ? value < 1 : value <= 1), 1)
}

/** A number above 0 and below 1. */
export const innerShare = () => number('a number above 0 and below 1', (value) => value > 0 && value < 1, 1)

export const positive = (max = MANY) => number('a number above 0', (value) => value > 0, max)

export function whole(min: number, max = MANY) {
  const range = max === MANY ? `of at least ${min}` : `from ${min} to ${max}`
  const fits = (value: number) => Number.isInteger(value) && value >= min && (value <= max || max === MANY)
  return number(`a whole number ${range}`, fits, max)
}

/** A whole number of at least `min`, or this word. */
export function wholeOr<const Word extends string>(word: Word, min = 0, max = MANY) {
  return z.union([z.literal(word), whole(min, max)], { error: `a whole number from ${min} to ${max}, or ${word}` })
}

/** Any text but that of a flag: in `--out --resume` the folder was forgotten. */
export function text(error: string) {
  return z.string({ error }).refine((value) => value.trim() !== '' && !value.startsWith('--'), { error })
}

export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
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

export const toggle = () => z.boolean().default(false)

/** What the options of a command give; a key is the name that the setting has where the work is done. */
export type Settings<Options extends z.ZodRawShape> = z.output<z.ZodObject<Options>>

/** An option of one command: its name among the settings, its looks, its default as text. */
export interface CommandOption extends Flag {
  readonly key: string
  readonly defaultText: string | undefined
}

/** The options of a command in the order of the help. */
export function optionsOf(options: z.ZodRawShape): CommandOption[] {
  return Object.entries(options).map(([key, schema]) => {
    const flag = flags.get(schema)
    if (!flag) throw new Error(`the option ${key} has no flag`)
    return { ...flag, key, defaultText: flag.otherwise ?? defaultText(schema), values: flag.values ?? wordsOf(schema) }
  })
}

/** The words that a value may be, where there are only so many. */
function wordsOf(schema: z.core.$ZodType): readonly string[] | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return wordsOf(schema.unwrap())
  return schema instanceof z.ZodEnum ? schema.options.map(String) : undefined
}

function defaultText(schema: z.core.$ZodType): string | undefined {
  const value = z.safeParse(schema, undefined).data
  return value === undefined || value === false ? undefined : String(value)
}

/** What was typed, by the settings' names: text, texts of a repeatable flag, or true for a switch. */
export type Typed = Readonly<Record<string, string | readonly string[] | true | undefined>>

/** Turns what was typed into settings; throws one UsageError that names every wrong value. */
export function readSettings<Options extends z.ZodRawShape>(
  command: string,
  options: Options,
  typed: Typed,
): Settings<Options> {
  const result = z.object(options).safeParse(typed)
  if (result.success) return result.data
  const shown = optionsOf(options)
  const lines = result.error.issues.map(({ path: [key, place], message }) => {
    const flag = shown.find((option) => option.key === key)?.flag
    const value = typed[String(key)]
    const received = Array.isArray(value) && typeof place === 'number' ? value[place] : value
    if (value === undefined) return `${flag} expects ${message}, and was not given`
    return `${flag} expects ${message}, received ${JSON.stringify(received)}`
  })
  throw new UsageError([...new Set(lines)].join('\n'), `coop-ts ${command} --help lists the flags`)
}
