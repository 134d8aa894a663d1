import { UsageError } from '../../base/errors.ts'
import { nearestWord } from '../../base/spelling.ts'
import { wordsOfName } from '../../prompt/class-words.ts'

/** Prompts by the name of the class that they describe, as CuPL's files have them; a `{}` in them is the name. */
export type Descriptions = Readonly<Record<string, readonly string[]>>

/**
 * The descriptions of each class: those of its very name, or else of the only name with the same words.
 *
 * @throws UsageError that names the classes that have none
 */
export function descriptionsOf(classNames: readonly string[], descriptions: Descriptions): (readonly string[])[] {
  const named = namedClasses(classNames, descriptions)
  throwAny(classNames.flatMap((name, i) => (named[i]?.length === 1 ? [] : [() => fault(name, named[i])])))
  return named.map(([name = '']) => descriptions[name] ?? [])
}

/** Throws UsageError where descriptions are not of just these classes: of each, and of no other. */
export function checkDescriptions(classNames: readonly string[], descriptions: Descriptions): void {
  const named = namedClasses(classNames, descriptions)
  const known = new Set(named.flat())
  const strange = Object.keys(descriptions).filter((name) => !known.has(name))
  throwAny([
    ...strange.map((name) => () => `${JSON.stringify(name)} is none of the classes${meant(name, classNames)}`),
    ...classNames.flatMap((name, i) => (named[i]?.length === 1 ? [] : [() => fault(name, named[i])])),
  ])
}

/** For each class the names of descriptions that mean it. */
function namedClasses(classNames: readonly string[], descriptions: Descriptions): (readonly string[])[] {
  const byWords = new Map<string, string[]>()
  for (const name of Object.keys(descriptions)) {
    const words = plain(name)
    byWords.set(words, [...(byWords.get(words) ?? []), name])
  }
  return classNames.map((name) => (Object.hasOwn(descriptions, name) ? [name] : (byWords.get(plain(name)) ?? [])))
}

const plain = (name: string) => wordsOfName(name.normalize('NFKC'))

function fault(className: string, names: readonly string[] = []): string {
  if (names.length === 0) return `there are none of the class ${JSON.stringify(className)}`
  return `${names.map((name) => JSON.stringify(name)).join(' and ')} all mean the class ${JSON.stringify(className)}`
}

function meant(name: string, classNames: readonly string[]): string {
  const near = nearestWord(name, classNames)
  return near === undefined ? '' : ` (did you mean "${near}"?)`
}

const MAX_LINES = 8

function throwAny(faults: readonly (() => string)[]): void {
  if (faults.length === 0) return
  const more = faults.length > MAX_LINES ? [`... and ${faults.length - MAX_LINES} more`] : []
  const lines = [...faults.slice(0, MAX_LINES).map((say) => say()), ...more]
  throw new UsageError(
    `the class descriptions do not fit the classes:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    'name each class once, with a list of descriptions',
  )
}
