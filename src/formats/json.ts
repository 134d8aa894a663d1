import { FileError } from '../base/errors.ts'

/**
 * Parses JSON strictly: a key that stands twice in one object is refused, where `JSON.parse` silently keeps the last.
 * Throws FileError naming `file`.
 */
export function parseJson(text: string, file: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileError(`${file} is not valid JSON: ${why}`, 'fetch or write the file again', { cause })
  }
  const twice = duplicateKey(text)
  if (twice !== undefined)
    throw new FileError(`${file}: the key ${twice} stands twice in one JSON object`, 'take one of the two out')
  return value
}

const STRINGS_AND_BRACES = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g

/** The first key that stands twice in one object of a valid JSON text, as it is written there. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = []
  for (const [token, colon] of text.matchAll(STRINGS_AND_BRACES)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon !== undefined) {
      const key: string = JSON.parse(token.slice(0, -colon.length))
      const keys = open.at(-1)
      if (keys?.has(key)) return JSON.stringify(key)
      keys?.add(key)
    }
  }
  return undefined
}
