// Byte-level BPE writes bytes as printable characters: printable Latin-1 stands for itself, the other
// bytes, in order, for the characters from U+0100 on (GPT-2's and CLIP's `bytes_to_unicode`).

const PRINTABLE: readonly (readonly [number, number])[] = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
]

/** Character of each byte value. */
export const BYTE_TO_SYMBOL: readonly string[] = byteSymbols()

/** Byte value of each such character. */
export const SYMBOL_TO_BYTE: ReadonlyMap<string, number> = new Map(BYTE_TO_SYMBOL.map((symbol, byte) => [symbol, byte]))

/** The bytes in the order of their ids in CLIP's vocabulary: the printable ones first. */
export const BYTES_IN_ID_ORDER: readonly number[] = [
  ...allBytes().filter(isPrintable),
  ...allBytes().filter((byte) => !isPrintable(byte)),
]

function byteSymbols(): string[] {
  let next = 0x100
  return allBytes().map((byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
}

function allBytes(): number[] {
  return Array.from({ length: 256 }, (_, byte) => byte)
}

function isPrintable(byte: number): boolean {
  return PRINTABLE.some(([first, last]) => byte >= first && byte <= last)
}
