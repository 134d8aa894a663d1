import type { Hooks } from '../base/progress.ts'

const NUMBER = /^\d+$/
/** An id of WordNet, as ImageNet's folders are called. */
const WORDNET_ID = /^n\d{8}$/
/** A code before a name: `n02085620-Chihuahua`, `001.Black_footed_Albatross`, `1_cats`. */
const CODE_BEFORE_NAME = /^(n\d{8}|\d+)[-._\s]+\p{L}/u

export const isNumber = (label: string): boolean => NUMBER.test(label)

/** Whether a label is a number or a code, which says nothing in a prompt. */
export const isCode = (label: string): boolean => NUMBER.test(label) || WORDNET_ID.test(label)

/**
 * The names that are numbers or ids of WordNet, or begin with one, and these codes. A number before a name is a code where
 * every name has one, each another: a single "3 series" is none.
 */
export function codesAmong(names: readonly string[]): Map<string, string> {
  const codes = names.map((name) => (isCode(name) ? name : CODE_BEFORE_NAME.exec(name)?.[1]))
  const different = new Set(codes.filter((code) => code !== undefined))
  const numbered = codes.every((code) => code !== undefined) && different.size === new Set(names).size
  return new Map(
    names.flatMap((name, i) => {
      const code = codes[i]
      const counts = code !== undefined && (numbered || isCode(name) || WORDNET_ID.test(code))
      return counts ? [[name, code] as const] : []
    }),
  )
}

/** Names of classes that a warning shows. */
const SHOWN = 8

/**
 * Warns of class names that are codes or begin with one, which stand in the prompts as they are.
 *
 * @param what what the names are called: `labels`, `class folders`
 * @param toName how names are given, by the code of the first
 */
export function warnOfCodes(
  source: string,
  names: readonly string[],
  what: string,
  toName: (code: string) => string,
  { onWarning }: Hooks,
): void {
  const codes = codesAmong(names)
  const [first] = codes.values()
  if (first === undefined) return
  const coded = [...codes.keys()]
  const bare = coded.filter(isCode).length
  const are = bare === coded.length ? 'are' : bare === 0 ? 'begin with' : 'are or begin with'
  onWarning?.(
    `${source}: ${coded.length} of ${new Set(names).size} ${what} ${are} numbers or WordNet ids ` +
      `(${coded.slice(0, SHOWN).join(', ')}${coded.length > SHOWN ? '...' : ''}) and are used as they are in the prompts; ` +
      `to give names, ${toName(first)}`,
  )
}
