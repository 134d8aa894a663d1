/** A JSON value with the place where it begins in the text. */
export interface Located {
  readonly at: number
  /** Elements of an array, or values of an object by key. */
  readonly children: ReadonlyMap<string | number, Located>
}

/** The line (from 1) on which a place in a text lies. */
export function lineAt(text: string, at: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) line++
  return line
}

/** The line of the value at a path of keys and indices, or of the deepest value on the way to it. */
export function lineOf(text: string, path: readonly (string | number)[]): number {
  try {
    let value = locate(text)
    for (const key of path) value = value.children.get(key) ?? value
    return lineAt(text, value.at)
  } catch (error) {
    if (error instanceof Unexpected) return lineAt(text, error.at)
    throw error
  }
}

/** Where a text stops being JSON, for a message; undefined when it is JSON. */
export function jsonFault(text: string): { readonly line: number; readonly expected: string } | undefined {
  try {
    locate(text)
  } catch (error) {
    if (error instanceof Unexpected) return { line: lineAt(text, error.at), expected: error.expected }
    throw error
  }
  return undefined
}

class Unexpected extends Error {
  constructor(
    readonly at: number,
    readonly expected: string,
  ) {
    super(`expected ${expected}`)
  }
}

/** A split file is nested three deep. */
const MAX_DEPTH = 100

const SPACE = /[ \t\n\r]*/y
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y

/** Reads a whole JSON text, keeping only where things stand. */
function locate(text: string): Located {
  let i = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = i
    const found = pattern.exec(text)?.[0]
    i += found?.length ?? 0
    return found
  }
  const next = (character: string): boolean => {
    match(SPACE)
    if (text[i] !== character) return false
    i++
    return true
  }
  const need = (found: boolean, expected: string) => {
    if (!found) throw new Unexpected(i, i < text.length ? expected : 'more: the text ends here')
  }
  const members = (close: string, member: (children: Map<string | number, Located>) => void) => {
    const children = new Map<string | number, Located>()
    if (next(close)) return children
    do member(children)
    while (next(','))
    need(next(close), `"," or "${close}"`)
    return children
  }
  const string = (): string | undefined => {
    const at = i
    const token = match(STRING)
    if (token === undefined) {
      if (text[at] === '"') throw new Unexpected(at, 'a closing quote')
      return undefined
    }
    try {
      return String(JSON.parse(token))
    } catch {
      throw new Unexpected(at, 'a text without line breaks and other control characters')
    }
  }
  let depth = 0
  const value = (): Located => {
    match(SPACE)
    const at = i
    if (depth > MAX_DEPTH) throw new Unexpected(at, 'lists that are not nested so deeply')
    depth++
    const children = childrenOf()
    depth--
    return { at, children }
  }
  const childrenOf = (): Located['children'] => {
    if (next('[')) return members(']', (children) => children.set(children.size, value()))
    if (next('{')) {
      const property = (children: Map<string | number, Located>) => {
        match(SPACE)
        const key = string()
        need(key !== undefined, 'a key in double quotes')
        need(next(':'), '":" after a key')
        children.set(key ?? '', value())
      }
      return members('}', property)
    }
    need((string() ?? match(SCALAR)) !== undefined, 'a value')
    return NONE
  }
  const whole = value()
  match(SPACE)
  need(i === text.length, 'the end of the text')
  return whole
}

const NONE: ReadonlyMap<string | number, Located> = new Map()
