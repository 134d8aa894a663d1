import { z } from 'zod'
import { MAX_SEED } from './bounds.ts'
import { UsageError } from './errors.ts'
import { nearestWord } from './spelling.ts'

// What callers without types give to the functions of the package. Each schema's message completes "NAME must be ...".

const instance = (what: string, fits: (value: object) => boolean) =>
  z.custom<object>((value) => typeof value === 'object' && value !== null && fits(value), { error: what })

/** Whether an object has these members, and no `undefined` for them. */
const has =
  (...names: readonly string[]) =>
  (value: object): boolean =>
    names.every((name) => name in value && Reflect.get(value, name) !== undefined)

export const aWord = z.string({ error: 'text' })
export const aText = aWord.min(1, { error: 'text that is not empty' })
export const texts = z.array(z.string({ error: 'a list of texts' }), { error: 'a list of texts' })
export const someTexts = texts.min(1, { error: 'a list of at least one text' })
export const numbers = z.array(z.number({ error: 'a list of numbers' }), { error: 'a list of numbers' })
export const wholes = z.array(z.int({ error: 'a list of whole numbers' }), { error: 'a list of whole numbers' })
export const wholeFrom = (least: number, most?: number) => {
  const error = `a whole number from ${least} ${most === undefined ? 'up' : `to ${most}`}`
  return z
    .int({ error })
    .min(least, { error })
    .max(most ?? Number.MAX_SAFE_INTEGER, { error })
}
export const aSeed = wholeFrom(0, MAX_SEED)
export const aList = z.array(z.unknown(), { error: 'a list' })
export const aFunction = z.custom<unknown>((value) => typeof value === 'function', { error: 'a function' })
export const aFlag = z.boolean({ error: 'true or false' })
export const aNumber = z.number({ error: 'a number' })
export const aNumberFrom0 = z.number({ error: 'a number from 0 up' }).min(0, { error: 'a number from 0 up' })
export const aLength = wholeFrom(0)
const LENGTHS = { error: 'a list of lengths, whole numbers from 0 up' }
export const lengths = z.array(z.int(LENGTHS).min(0, LENGTHS), LENGTHS)
export const aMap = z.instanceof(Map, { error: 'a Map' })
export const anObject = instance('an object', (value) => !Array.isArray(value))
export const bytes = z.instanceof(Uint8Array, { error: 'bytes (a Uint8Array)' })
const HOOKS = 'hooks { onProgress, onWarning, signal }, the first two functions'
/** See Hooks. */
export const someHooks = instance(
  HOOKS,
  (value) =>
    !Array.isArray(value) &&
    ['onProgress', 'onWarning', 'onQuestion']
      .map((name) => Reflect.get(value, name))
      .every((f) => f === undefined || typeof f === 'function'),
)
const LABELLED = { error: 'a list of items, each with a label' }
const isLabelled = (item: unknown) =>
  typeof item === 'object' && item !== null && Number.isInteger(Reflect.get(item, 'label'))
export const labelled = z.array(z.custom<object>(isLabelled, LABELLED), LABELLED)
export const aTensor = instance('a tensor { dtype, shape, data }, as floatTensor makes it', isTensor)
/** A tensor, or a weight in half precision or 8 bits. */
export const aWeight = instance('a tensor { dtype, shape, data }, as floatTensor makes it', isWeight)
export const someFloats = z.instanceof(Float32Array, { error: 'numbers in a Float32Array' })
export const aClip = instance('a model, as loadClip gives it', has('config', 'weights', 'tokenizer'))
export const aRuntime = instance('a runtime, as nodeRuntime gives it', has('load'))
export const aTokenizer = instance('a tokenizer, as loadClip(...).tokenizer', has('encode', 'tokenize'))
export const aSource = instance('a source of bytes, as fileSource gives it', has('name', 'size', 'read'))
export const someWholes = instance('a list of whole numbers', (value) => {
  if (value instanceof BigInt64Array) return true
  const list = Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(Object(value)) : [undefined]
  return list.every((n) => typeof n === 'bigint' || Number.isInteger(n))
})
export const optional = (schema: z.ZodType) => schema.optional()
export const withMembers = (what: string, ...names: readonly string[]) => instance(what, has(...names))

function isTensor(value: object): boolean {
  const { dtype, shape, data }: { dtype?: unknown; shape?: unknown; data?: unknown } = value
  const fits = dtype === 'float32' ? data instanceof Float32Array : dtype === 'int64' && data instanceof BigInt64Array
  return fits && Array.isArray(shape) && shape.every(Number.isInteger)
}

function isWeight(value: object): boolean {
  const { dtype, shape, data }: { dtype?: unknown; shape?: unknown; data?: unknown } = value
  const isPacked = PACKED.some(([name, kind]) => dtype === name && data instanceof kind)
  return isTensor(value) || (isPacked && Array.isArray(shape) && shape.every(Number.isInteger))
}

/** The types of weights that are no tensors, and the lists that hold them. */
const PACKED = [
  ['float16', Uint16Array],
  ['int8', Int8Array],
  ['uint8', Uint8Array],
  ['int32', Int32Array],
] as const

/** Throws one UsageError that names every argument of a function that is not what it must be. */
export function checkArguments(
  caller: string,
  given: Readonly<Record<string, unknown>>,
  schemas: Readonly<Record<string, z.ZodType>>,
): void {
  const lines = Object.entries(schemas).flatMap(([name, schema]) => {
    const { error } = schema.safeParse(given[name])
    return error === undefined ? [] : [`${name} must be ${error.issues[0]?.message}, not ${shown(given[name])}`]
  })
  if (lines.length > 0) throw new UsageError(`${caller}: ${lines.join('; ')}`, `correct the call of ${caller}`)
}

/** Throws UsageError for options that a function does not have, which are mostly misspelt. */
export function checkOptions(caller: string, options: unknown, known: readonly string[]): void {
  checkArguments(caller, { options }, { options: anObject })
  for (const key of Object.keys(Object(options))) {
    if (known.includes(key)) continue
    const near = nearestWord(key, known)
    const meant = near === undefined ? '' : ` (did you mean "${near}"?)`
    throw new UsageError(`${caller} has no option "${key}"${meant}`, `its options are ${known.join(', ')}`)
  }
}

/** A value in a few words. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list that begins with ${shown(value[0])}`
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'without a class'})`
  return typeof value === 'function' ? 'a function' : String(value)
}
