import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import { isObject } from './json.ts'

/**
 * A file's content as its schema says. Throws FileError with one line for each key that does not fit:
 * key, what was expected, what was there.
 *
 * @param remedy what to do about it, where the file may well be right
 */
export function readSchema<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  file: string,
  remedy = 'fix the file, or download it again',
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const lines = result.error.issues.slice(0, MAX_LINES).map((issue) => `  ${pathText(issue.path)}: ${issue.message}`)
  const more = result.error.issues.length - lines.length
  if (more > 0) lines.push(`  ... and ${more} more`)
  throw new FileError(`${file} is not as expected:\n${lines.join('\n')}`, remedy)
}

/** A JSON object as a Map of all its keys: z.record leaves out one that is called `__proto__`. */
export function mapOf<Value extends z.ZodType>(value: Value) {
  const entries = (given: unknown) => (isObject(given) ? new Map(Object.entries(given)) : given)
  return z.preprocess(entries, z.map(z.string(), value, { error: 'expected an object of keys and values' }))
}

const MAX_LINES = 20

function pathText(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '(the whole file)' : path.map(String).join('.')
}
