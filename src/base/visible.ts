/**
 * Characters that do something to a terminal, or to the order of what stands around them, instead of being seen: control
 * characters, the Unicode bidi controls (UAX #9), line separators, spaces of no width, tags, halves of pairs.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu

/** A name as it may stand in a line of text: what cannot be seen is written as JSON writes it. */
export const visible = (name: string): string => name.replace(UNSEEN, escaped)

/** The same for a text of several lines. */
export const visibleText = (text: string): string =>
  text.replace(UNSEEN, (found) => (found === '\n' || found === '\t' ? found : escaped(found)))

/** JSON for people and programs: still the same JSON, but nothing in it that cannot be seen. */
export const visibleJson = (value: unknown): string => visible(JSON.stringify(value))

/** `\n`, `\u001b`, `\u202e`, a pair of them for what is beyond 16 bits. */
function escaped(found: string): string {
  const short = SHORT.get(found)
  if (short !== undefined) return short
  const units = Array.from({ length: found.length }, (_, i) => found.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

const SHORT = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
