import { decodeHTML } from 'entities/decode'

const REFERENCE = /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu

/** Replaces HTML's character references as Python's `html.unescape` does. */
export function htmlUnescape(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(REFERENCE, (_, reference: string) =>
    reference[0] === '#' ? numeric(reference) : decodeHTML(`&${reference}`),
  )
}

/** 0x80 to 0x9f are read as Windows-1252, as browsers do; five of them have no character there. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

function numeric(reference: string): string {
  const digits = reference.replace(';', '').slice(1)
  const code = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 10)
  if (code === 0) return '\ufffd'
  if (code >= 0x80 && code <= 0x9f) return WINDOWS_1252[code - 0x80] ?? ''
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return '\ufffd'
  return isNoCharacter(code) ? '' : String.fromCodePoint(code)
}

/** Control characters but for white space, and code points that Unicode keeps free. */
function isNoCharacter(code: number): boolean {
  if (code < 0x20) return code !== 0x09 && code !== 0x0a && code !== 0x0c && code !== 0x0d
  return code === 0x7f || (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe
}

/** Text of a C1 control character as Windows-1252 would have it. */
export function windows1252(control: string): string {
  return WINDOWS_1252[control.charCodeAt(0) - 0x80] ?? control
}
