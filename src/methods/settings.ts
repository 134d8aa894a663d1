import { z } from 'zod'
import { anObject, checkArguments, withMembers } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'

interface Described<S = unknown> {
  readonly name: string
  readonly settings: z.ZodType<S>
}

/** Names of a method's settings, in the order of its table. */
export function settingNames({ settings }: Pick<Described, 'settings'>): string[] {
  // a schema that fills in what depends on other settings comes before that
  const table = settings instanceof z.ZodPipe ? settings.in : settings
  return table instanceof z.ZodObject ? Object.keys(table.shape) : []
}

/** Complete settings of a method. Throws one UsageError that names every one that is unknown or wrong. */
export function readSettings(method: Described, given: object): Readonly<Record<string, unknown>> {
  checkArguments('readSettings', { method, given }, { method: aDescribed, given: anObject })
  return z.record(z.string(), z.unknown()).parse(parsedSettings(method, given))
}

const aDescribed = withMembers('a method, as methodNamed gives it', 'name', 'settings')

/** The same with their type, as the method itself takes them. */
export function parsedSettings<S>(method: Described<S>, given: unknown): S {
  const result = method.settings.safeParse(given)
  if (result.success) return result.data
  const lines = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  )
  throw new UsageError(
    `settings of ${method.name}: ${lines.join('; ')}`,
    `its settings are: ${settingNames(method).join(', ') || 'none'}`,
  )
}
