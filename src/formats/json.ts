import { FileError } from '../base/errors.ts'

/**
 * Parses JSON strictly: a key that appears twice in one object is refused, where `JSON.parse` silently keeps the last.
 * Throws FileError with file, line and column.
 *
 * @param line of the file on which the text begins
 */
export function parseJson(text: string, file: string, line = 1): unknown {
  let cause: unknown
  try {
    const value: unknown = JSON.parse(text)
    if (keysRead(value) === keysWritten(text)) return value
  } catch (error) {
    cause = error
  }
  const { at, fault = `not valid JSON: ${cause}` } = scan(text)
  throw new FileError(`${file}:${placeAt(text, at, line)}: ${fault}`, 'fix the file, or download it again', { cause })
}

export type JsonPath = readonly (string | number)[]

/** `line:column`, from 1, of the value at a path in valid JSON, or of the deepest value on the way to it. */
export function placeInJson(text: string, path: JsonPath): string {
  return placeAt(text, scan(text, path).at, 1)
}

function placeAt(text: string, at: number, firstLine: number): string {
  const lines = text.slice(0, at).split('\n')
  return `${firstLine + lines.length - 1}:${(lines.at(-1)?.length ?? 0) + 1}`
}

/** Texts of valid JSON with a colon behind them. */
function keysWritten(text: string): number {
  let keys = 0
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    at = behindSpace(text, behindText(text, at))
    if (text.charAt(at) === ':') keys++
  }
  return keys
}

/** The place behind a text in quotes that begins at a place; 0 where it does not end. */
function behindText(text: string, opening: number): number {
  let at = text.indexOf('"', opening + 1)
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at + 1
}

const SPACE = ' \t\n\r'

function behindSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && SPACE.includes(text.charAt(at))) at++
  return at
}

/** Whether an odd number of backslashes stands before a place. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charAt(first - 1) === '\\') first--
  return (at - first) % 2 === 1
}

/**
 * The numbers by key of a text that is one object of whole numbers from 0 up, such as a vocabulary: parseJson and a map
 * of what it gives take nearly twice as long for 50,000. Undefined where the text is anything else or has a key twice:
 * parseJson says what is wrong, and where.
 */
export function wholeNumbersByKey(text: string): Map<string, number> | undefined {
  const numbers = new Map<string, number>()
  let at = behindSpace(text, 0)
  if (text.charAt(at) !== '{') return undefined
  for (let count = 1; ; count++) {
    const opening = behindSpace(text, at + 1)
    const closed = text.charAt(opening) === '"' ? behindText(text, opening) : 0
    const key = closed > 0 ? textWritten(text.slice(opening, closed)) : undefined
    const colon = behindSpace(text, closed)
    const first = behindSpace(text, colon + 1)
    const behind = behindDigits(text, first)
    const number = text.slice(first, behind)
    if (key === undefined || text.charAt(colon) !== ':' || !WHOLE_NUMBER.test(number)) return undefined
    numbers.set(key, Number(number))
    at = behindSpace(text, behind)
    if (text.charAt(at) === ',') continue
    const isAll = text.charAt(at) === '}' && behindSpace(text, at + 1) === text.length
    return isAll && numbers.size === count ? numbers : undefined
  }
}

/** Of so few digits that float64 has it exactly. */
const WHOLE_NUMBER = /^(0|[1-9]\d{0,14})$/

function behindDigits(text: string, from: number): number {
  let at = from
  while (text.charAt(at) >= '0' && text.charAt(at) <= '9') at++
  return at
}

/** Without escapes, and without what must be escaped. */
const PLAIN = /^[^\\\p{Cc}]*$/u

/** What a text in quotes says; undefined where it is not valid JSON. */
function textWritten(quoted: string): string | undefined {
  if (PLAIN.test(quoted)) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    return undefined
  }
}

/** Keys of all objects in a value. */
function keysRead(value: unknown): number {
  let keys = 0
  const inner = [value] // grows: a text may be nested deeper than calls can be
  const look = (each: unknown) => {
    if (typeof each === 'object' && each !== null) inner.push(each)
  }
  for (const each of inner) {
    if (Array.isArray(each)) each.forEach(look)
    else if (isObject(each)) {
      for (const key in each) {
        keys++
        look(each[key])
      }
    }
  }
  return keys
}

/** Whether a value of JSON is an object of keys and values. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type State = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'after' | 'after [' | 'after {'

const VALUE = { text: 'after', scalar: 'after', '{': 'first key', '[': 'first value' } as const

/** What may stand where: for each token what comes after it. `after` a value its list or object goes on. */
const RULES: Readonly<Record<State, { expected: string; next: Readonly<Record<string, State | undefined>> }>> = {
  value: { expected: 'a value', next: VALUE },
  'first value': { expected: 'a value or "]"', next: { ...VALUE, ']': 'after' } },
  key: { expected: 'a key in double quotes', next: { text: 'colon' } },
  'first key': { expected: 'a key in double quotes or "}"', next: { text: 'colon', '}': 'after' } },
  colon: { expected: '":" after the key', next: { ':': 'value' } },
  after: { expected: 'the end of the text', next: {} },
  'after [': { expected: '"," or "]"', next: { ',': 'value', ']': 'after' } },
  'after {': { expected: '"," or "}"', next: { ',': 'key', '}': 'after' } },
}

/** Space and a token: a bracket or the like, a text in quotes, another scalar, a quote that begins no text; or nothing. */
const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in texts
  /[ \t\n\r]*([{}[\]:,]|("[^"\\\0-\x1f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\0-\x1f]*)*")|(true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|"?)/y

const TEXT = 'a string with a closing quote and without line breaks or invalid escapes'

/** A list or an object around a place in the text. */
interface Open {
  readonly bracket: '[' | '{'
  readonly keys: Set<unknown>
  key: unknown
}

/**
 * Reads a text for places only: where the value at `path` begins, or what is wrong first and where. (The library `yaml`
 * lets commas before brackets, single quotes and line breaks in texts pass.)
 */
function scan(text: string, path: JsonPath = []): { readonly at: number; readonly fault?: string } {
  const open: Open[] = []
  let state: State = 'value'
  let found = 0
  for (let end = 0; ; ) {
    TOKEN.lastIndex = end
    const [whole = '', token = '', quoted, scalar] = TOKEN.exec(text) ?? []
    end += whole.length
    const at = end - token.length
    if (at === text.length && state === 'after') return { at: found }
    const kind: string = quoted ? 'text' : scalar ? 'scalar' : token
    const next: State | undefined = RULES[state].next[kind]
    if (next === undefined) {
      const expected =
        at === text.length ? 'more, but the text ends here' : token === '"' ? TEXT : RULES[state].expected
      return { at, fault: `not valid JSON: expected ${expected}` }
    }

    const top = open.at(-1)
    if (next === 'colon' && top) {
      top.key = JSON.parse(token)
      if (top.keys.has(top.key)) return { at, fault: `the key ${JSON.stringify(top.key)} appears twice in one object` }
      top.keys.add(top.key)
    } else if (kind in VALUE && open.length <= path.length && open.every(({ key }, i) => key === path[i])) {
      found = at
    }
    if (kind === ',' && typeof top?.key === 'number') top.key++
    if (kind === '{' || kind === '[') open.push({ bracket: kind, keys: new Set(), key: kind === '[' ? 0 : '' })
    if (kind === '}' || kind === ']') open.pop()
    const inside = open.at(-1)?.bracket
    state = next === 'after' && inside ? `after ${inside}` : next
  }
}
