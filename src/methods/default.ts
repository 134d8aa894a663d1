import type { Hooks } from '../base/progress.ts'
import { settingNames } from './settings.ts'
import { methodNamed } from './table.ts'

/** What learns from one's own pictures where nobody names a method. */
export const DEFAULT_METHOD = 'best'
/** What learns from the paper's data sets then, and where settings are given that are its own. */
export const PAPER_METHOD = 'coop'

/** Not only a setting of methods: zero-shot is measured by it, whatever the method. */
export const FITS_ALL = 'templates'

/**
 * The method that is meant where none is named: `usual`, or CoOp where settings are given that it has and `usual` has not,
 * which is then said.
 *
 * @param given settings, and what messages call them
 */
export function impliedMethod(usual: string, given: ReadonlyMap<string, string>, { onWarning }: Hooks): string {
  const [own, coop] = [usual, PAPER_METHOD].map((name) => settingNames(methodNamed(name)))
  const its = [...given].filter(([key]) => key !== FITS_ALL && !own?.includes(key) && coop?.includes(key))
  if (its.length === 0) return usual
  const [what, are] = [its.map(([, name]) => name).join(', '), its.length === 1 ? 'is a setting' : 'are settings']
  onWarning?.(`${what} ${are} of ${PAPER_METHOD}, which is taken instead of ${usual} (--method ${PAPER_METHOD})`)
  return PAPER_METHOD
}

/** Settings as they are given to a function. */
export const givenSettings = (settings: object = {}): ReadonlyMap<string, string> =>
  new Map(Object.keys(settings).map((key) => [key, `settings.${key}`]))
