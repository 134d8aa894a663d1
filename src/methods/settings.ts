import { z } from 'zod'
import { anObject, checkArguments } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import type { AnyMethod } from './method.ts'

type Described = Pick<AnyMethod, 'name' | 'settings'>

/** Names of a method's settings, in the order of its table. */
export function settingNames({ settings }: Pick<AnyMethod, 'settings'>): string[] {
  // a schema that fills in what depends on other settings comes before that
  const table = settings instanceof z.ZodPipe ? settings.in : settings
  return table instanceof z.ZodObject ? Object.keys(table.shape) : []
}

/** Complete settings of a method. Throws one UsageError that names every one that is unknown or wrong. */
export function readSettings(method: Described, given: object): Readonly<Record<string, unknown>> {
  checkArguments('readSettings', { method, given }, { method: anObject, given: anObject })
  const result = method.settings.safeParse(given)
  if (result.success) return z.record(z.string(), z.unknown()).parse(result.data)
  const lines = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  )
  throw new UsageError(
    `settings of ${method.name}: ${lines.join('; ')}`,
    `its settings are: ${settingNames(method).join(', ') || 'none'}`,
  )
}
