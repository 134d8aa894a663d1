import { decodeHTMLStrict } from 'entities/decode'
import { htmlUnescape, windows1252 } from './html-unescape.ts'

/**
 * Text as CLIP's tokenizer cleans it: the repairs of ftfy's `fix_text`, HTML unescaped twice, white space
 * collapsed and trimmed, lower case. Of ftfy only the guessing at wrongly decoded text ("cafÃ©") is left out.
 */
export function cleanText(text: string): string {
  return htmlUnescape(htmlUnescape(fixText(text)))
    .replace(/\p{White_Space}+/gu, ' ')
    .trim()
    .toLowerCase()
}

/** Nothing to repair in such a text: by far the most captions and class names. */
const PLAIN = /^[\t\n\r\x20-\x25\x27-\x7e]*$/

function fixText(text: string): string {
  if (PLAIN.test(text)) return text
  // ftfy goes line by line; from the first line with a "<" on it takes the text for HTML and leaves references alone.
  let readReferences = true
  return text
    .split(/(?<=\n)/)
    .map((line) => {
      if (line.includes('<')) readReferences = false
      return fixLine(line, readReferences)
    })
    .join('')
}

/** Applies the repairs until nothing changes: one may uncover the next. */
function fixLine(line: string, readReferences: boolean): string {
  let fixed = line
  for (;;) {
    const before = fixed
    if (readReferences) fixed = fixed.replace(/&#?[0-9A-Za-z]{1,24};/g, wholeReference)
    for (const [pattern, replacement] of REPAIRS) fixed = fixed.replace(pattern, replacement)
    fixed = fixed.normalize('NFC')
    if (fixed === before) return fixed
  }
}

/** ftfy's reading of a reference: only with its semicolon, and also names that were upper-cased (`&EACUTE;`). */
function wholeReference(reference: string): string {
  if (reference.startsWith('&#')) {
    const text = htmlUnescape(reference)
    return text.includes(';') ? reference : text
  }
  const text = decodeHTMLStrict(reference)
  if (text !== reference || reference !== reference.toUpperCase() || htmlUnescape(reference) !== reference) return text
  const lower = reference.toLowerCase()
  const small = decodeHTMLStrict(lower)
  return small === lower ? reference : small.toUpperCase()
}

const LIGATURES: Readonly<Record<string, string>> = {
  Ĳ: 'IJ',
  ĳ: 'ij',
  ŉ: 'ʼn',
  Ǆ: 'DŽ',
  ǅ: 'Dž',
  ǆ: 'dž',
  Ǉ: 'LJ',
  ǈ: 'Lj',
  ǉ: 'lj',
  Ǌ: 'NJ',
  ǋ: 'Nj',
  ǌ: 'nj',
  Ǳ: 'DZ',
  ǲ: 'Dz',
  ǳ: 'dz',
  ﬀ: 'ff',
  ﬁ: 'fi',
  ﬂ: 'fl',
  ﬃ: 'ffi',
  ﬄ: 'ffl',
  ﬅ: 'ſt',
  ﬆ: 'st',
}

type Repair = readonly [pattern: RegExp, replacement: (match: string) => string]

/** In ftfy's order. Line breaks need none here: all white space becomes one space afterwards. */
const REPAIRS: readonly Repair[] = [
  // C1 controls: Windows-1252 that was taken for Latin-1.
  [/[\x80-\x9f]/g, windows1252],
  [new RegExp(`[${Object.keys(LIGATURES).join('')}]`, 'g'), (ligature) => LIGATURES[ligature] ?? ligature],
  // Full-width and half-width forms.
  [/[\u3000\uff01-\uffef]/g, (form) => form.normalize('NFKC')],
  [/[\u02bc\u2018-\u201b]/g, () => "'"],
  [/[\u201c-\u201f]/g, () => '"'],
  [/\p{Surrogate}/gu, () => '\ufffd'],
  // Colours of a terminal.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  [/\x1b\[[\d;]*[a-zA-Z]/g, () => ''],
  // Control characters without a use in text.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  [/[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, () => ''],
]
