import { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { nearestWord } from '../base/spelling.ts'
import { FITS_ALL } from '../methods/default.ts'
import { type AnyMethod, METHODS, settingNames } from '../methods/index.ts'

interface Assignment {
  readonly key: string
  readonly value: unknown
  /** What was typed for it. */
  readonly from: string
}

/** Settings that were typed, as flags or with `--set`, and how. */
export function typedSettings(
  given: ReadonlyMap<string, string>,
  set: readonly string[] = [],
): ReadonlyMap<string, string> {
  const names = new Set(METHODS.flatMap(settingNames))
  const keys = set.map((text) => text.slice(0, text.indexOf('=')))
  return new Map([
    ...[...given].filter(([key]) => names.has(key)),
    ...keys.map((key) => [key, `--set ${key}`] as const),
  ])
}

/**
 * The complete settings of a method from flags that were typed and from `--set`. A flag is a setting of methods where its
 * key is the name of one.
 * Rejects with one UsageError that names every flag that does not fit the method, every unknown key and every wrong value.
 */
export async function methodSettings(
  method: AnyMethod,
  flags: Readonly<Record<string, unknown>> & { readonly set?: readonly string[] },
  given: ReadonlyMap<string, string>,
): Promise<Readonly<Record<string, unknown>>> {
  const known = settingNames(method)
  const remedy = `the settings of ${method.name}: ${known.join(', ') || 'none'}; coop-ts methods shows their defaults`
  const names = new Set(METHODS.flatMap(settingNames))
  const typed = [...given].filter(([key]) => names.has(key)).map(([key, from]) => ({ key, value: flags[key], from }))
  const strange = typed.filter(({ key }) => !known.includes(key) && key !== FITS_ALL)
  if (strange.length > 0) {
    const what = strange.map(({ from }) => from).join(', ')
    throw new UsageError(`${what}: the method ${method.name} has no such setting`, remedy)
  }
  const assigned = typed.filter(({ key }) => known.includes(key))
  for (const text of flags.set ?? []) assigned.push(await readAssignment(text))
  const twice = assigned.filter(({ key }, i) => assigned.findIndex((other) => other.key === key) < i)
  if (twice.length > 0) {
    throw new UsageError(`given twice: ${twice.map(({ from }) => from).join(', ')}`, 'give each setting once')
  }
  const result = method.settings.safeParse(Object.fromEntries(assigned.map(({ key, value }) => [key, value])))
  if (result.success) return z.record(z.string(), z.unknown()).parse(result.data)
  const lines = result.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, method.name, known))
    const { from = '--set', value } = assigned.find(({ key }) => key === issue.path[0]) ?? {}
    const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received .*$/s, '')
    return `${from}: ${expected}, received ${JSON.stringify(value)}`
  })
  throw new UsageError([...new Set(lines)].join('\n'), remedy)
}

function unknownKey(key: string, method: string, known: readonly string[]): string {
  const near = nearestWord(key, known)
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`
  return `--set ${key}: the method ${method} has no setting "${key}"${meant}`
}

/** `KEY=VALUE`, the value as YAML has it. */
async function readAssignment(text: string): Promise<Assignment> {
  const { readYaml } = await import('../node/yaml.ts') // seventy files, which most commands do without
  const at = text.indexOf('=')
  const [key, source] = [text.slice(0, at), text.slice(at + 1)]
  const from = `--set ${key}`
  const {
    faults: [fault],
    value,
  } = readYaml(source)
  if (fault !== undefined) {
    throw new UsageError(
      `${from}: ${JSON.stringify(source)} is not a valid value: ${fault.message}`,
      `put text in quotes: --set '${key}="..."'`,
    )
  }
  if (isScalar(value) || (Array.isArray(value) && value.every(isScalar))) return { key, value, from }
  throw new UsageError(
    `${from}: expected a number, a word, true, false, null or a list of these, received ${JSON.stringify(source)}`,
    `put text in quotes: --set '${key}="..."'`,
  )
}

const isScalar = (value: unknown): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value)
