import { parseDocument } from 'yaml'
import { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { nearestWord } from '../base/spelling.ts'
import { type AnyMethod, settingNames } from '../methods/index.ts'
import { optionsOf, type Settings } from './options.ts'

/** Flags of `coop train` that are settings of methods, by the names that these have there. */
const SETTING_OF: Readonly<Record<string, string>> = {
  contextLength: 'M',
  position: 'position',
  classSpecific: 'classSpecific',
  init: 'init',
  epochs: 'epochs',
  lr: 'learningRate',
  batchSize: 'batchSize',
  warmup: 'warmup',
  warmupEpochs: 'warmupEpochs',
  template: 'templates',
}

/** Not only a setting: zero-shot is measured by it, whatever the method. */
const FITS_ALL = 'template'

interface Assignment {
  readonly key: string
  readonly value: unknown
  /** What was typed for it. */
  readonly from: string
}

/**
 * The complete settings of a method from flags that were typed and from `--set`.
 * Throws one UsageError that names every flag that does not fit the method, every unknown key and every wrong value.
 */
export function methodSettings(
  method: AnyMethod,
  flags: Settings<'train'>,
  given: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const known = settingNames(method)
  const remedy = `the settings of ${method.name}: ${known.join(', ') || 'none'}; coop methods shows their defaults`
  const typed = flagsOf(flags, given)
  const strange = typed.filter(({ key, flag }) => !known.includes(key) && flag !== FITS_ALL)
  if (strange.length > 0) {
    const what = strange.map(({ from }) => from).join(', ')
    throw new UsageError(`${what}: the method ${method.name} has no such setting`, remedy)
  }
  const assigned = [...typed.filter(({ key }) => known.includes(key)), ...(flags.set ?? []).map(readAssignment)]
  const twice = assigned.filter(({ key }, i) => assigned.findIndex((other) => other.key === key) < i)
  if (twice.length > 0) {
    throw new UsageError(`given twice: ${twice.map(({ from }) => from).join(', ')}`, 'give each setting once')
  }
  const result = method.settings.safeParse(Object.fromEntries(assigned.map(({ key, value }) => [key, value])))
  if (result.success) return z.record(z.string(), z.unknown()).parse(result.data)
  const lines = result.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, method.name, known))
    const { from = '--set', value } = assigned.find(({ key }) => key === issue.path[0]) ?? {}
    const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received \w+$/, '')
    return `${from}: ${expected}, received ${JSON.stringify(value)}`
  })
  throw new UsageError([...new Set(lines)].join('\n'), remedy)
}

/** What the flags that were typed give. */
function flagsOf(flags: Settings<'train'>, given: ReadonlySet<string>): (Assignment & { readonly flag: string })[] {
  const values = new Map<string, unknown>(Object.entries(flags))
  return optionsOf('train').flatMap(({ key: flag, flag: from }) => {
    const key = SETTING_OF[flag]
    return key !== undefined && given.has(flag) ? [{ flag, key, value: values.get(flag), from }] : []
  })
}

function unknownKey(key: string, method: string, known: readonly string[]): string {
  const near = nearestWord(key, known)
  const meant = near === undefined ? '' : `; "${near}" may be meant`
  return `--set ${key}: the method ${method} has no setting "${key}"${meant}`
}

/** `KEY=VALUE`, the value as YAML has it. */
function readAssignment(text: string): Assignment {
  const at = text.indexOf('=')
  const [key, source] = [text.slice(0, at), text.slice(at + 1)]
  const from = `--set ${key}`
  const document = parseDocument(source, { prettyErrors: false })
  const [fault] = document.errors
  if (fault !== undefined) {
    throw new UsageError(
      `${from}: ${JSON.stringify(source)} is no value: ${fault.message}`,
      `put a text in quotes: --set '${key}="..."'`,
    )
  }
  const value: unknown = document.toJS()
  if (isScalar(value) || (Array.isArray(value) && value.every(isScalar))) return { key, value, from }
  throw new UsageError(
    `${from}: expected a number, a word, true, false, null or a list of these, received ${JSON.stringify(source)}`,
    `put a text in quotes: --set '${key}="..."'`,
  )
}

const isScalar = (value: unknown): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value)
