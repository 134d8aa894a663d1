import type { Random } from '../../src/base/random.ts'

/** A part of an input that stands behind lengths or checksums: changed inside, it is put back so that they are right. */
export interface Shell {
  /** The part, or undefined where the input has none any more. */
  open(whole: Uint8Array): Promise<Uint8Array | undefined> | Uint8Array | undefined
  close(whole: Uint8Array, inner: Uint8Array): Promise<Uint8Array> | Uint8Array
}

/** What the mutations of one reader draw from. */
export interface Stock {
  readonly seeds: readonly Uint8Array[]
  readonly text: boolean
  /** Words of its language. */
  readonly words: readonly string[]
  readonly shell?: Shell
}

type Change = (bytes: Uint8Array, random: Random, stock: Stock) => Uint8Array

/** Lengths, counts and offsets that nobody means. */
const EXTREMES = [0, 1, -1, 127, 128, 255, 256, 32767, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1, 2 ** 53]
const MOST = 1 << 18
const DEEP = 20_000

/** One input: a seed with one to four changes. */
export async function mutated(random: Random, stock: Stock): Promise<Uint8Array> {
  const seed = pick(random, stock.seeds)
  const inner = stock.shell && random.int(2) === 0 ? await stock.shell.open(seed) : undefined
  if (stock.shell === undefined || inner === undefined) return changed(seed, random, stock)
  const text = stock.text || looksLikeText(inner)
  return stock.shell.close(seed, changed(inner, random, { ...stock, text, seeds: [inner] }))
}

function changed(from: Uint8Array, random: Random, stock: Stock): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(from) // a Buffer's slice would be the seed itself
  for (let left = 1 + random.int(4); left > 0; left--) {
    const changes = stock.text && random.int(4) > 0 ? TEXT_CHANGES : BYTE_CHANGES
    bytes = pick(random, changes)(bytes, random, stock).subarray(0, MOST)
  }
  return bytes
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)]!
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const looksLikeText = (bytes: Uint8Array): boolean => bytes.subarray(0, 200).every((byte) => byte >= 9 && byte < 127)

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A range of up to `most` places. */
function range(length: number, random: Random, most = length): [from: number, to: number] {
  const from = random.int(length + 1)
  return [from, Math.min(length, from + random.int(Math.max(1, Math.min(most, length)) + 1))]
}

const BYTE_CHANGES: readonly Change[] = [
  function flipBits(bytes, random) {
    const copy = bytes.slice()
    for (let left = 1 + random.int(8); left > 0 && copy.length > 0; left--)
      copy[random.int(copy.length)]! ^= 1 << random.int(8)
    return copy
  },
  function overwrite(bytes, random) {
    const copy = bytes.slice()
    const [from, to] = range(copy.length, random, 64)
    const fill = pick(random, [0, 255, undefined])
    for (let i = from; i < to; i++) copy[i] = fill ?? random.int(256)
    return copy
  },
  function truncate(bytes, random) {
    return bytes.slice(0, random.int(bytes.length + 1))
  },
  function drop(bytes, random) {
    const [from, to] = range(bytes.length, random, 256)
    return joined(bytes.subarray(0, from), bytes.subarray(to))
  },
  function repeat(bytes, random) {
    const [from, to] = range(bytes.length, random, 4096)
    const times = 1 + random.int(pick(random, [2, 50]))
    return joined(bytes.subarray(0, to), ...Array<Uint8Array>(times).fill(bytes.subarray(from, to)), bytes.subarray(to))
  },
  function insert(bytes, random) {
    const at = random.int(bytes.length + 1)
    const noise = Uint8Array.from({ length: 1 + random.int(16) }, () => random.int(256))
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at))
  },
  function splice(bytes, random, { seeds }) {
    const other = pick(random, seeds)
    return joined(bytes.subarray(0, random.int(bytes.length + 1)), other.subarray(random.int(other.length + 1)))
  },
  function move(bytes, random) {
    const [from, to] = range(bytes.length, random, 512)
    const rest = joined(bytes.subarray(0, from), bytes.subarray(to))
    const at = random.int(rest.length + 1)
    return joined(rest.subarray(0, at), bytes.subarray(from, to), rest.subarray(at))
  },
  function setNumber(bytes, random) {
    const width = pick(random, [1, 2, 4, 8] as const)
    if (bytes.length < width) return bytes
    const copy = bytes.slice()
    const view = new DataView(copy.buffer)
    const at = random.int(copy.length - width + 1)
    const value = pick(random, EXTREMES)
    const little = random.int(2) === 0
    if (width === 1) view.setInt8(at, value)
    else if (width === 2) view.setInt16(at, value, little)
    else if (width === 4) view.setInt32(at, value, little)
    else view.setBigInt64(at, BigInt(value), little)
    return copy
  },
  function insertWord(bytes, random, { words }) {
    const at = random.int(bytes.length + 1)
    return joined(bytes.subarray(0, at), encode(pick(random, [...words, ...WORDS])), bytes.subarray(at))
  },
]

/** Texts that are something else to somebody. */
const WORDS = [
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  'Infinity',
  '-0',
  '1e999',
  '-1e308',
  '9007199254740993',
  '1'.repeat(400),
  '0x10',
  'true',
  '\0',
  '\ufeff',
  '\u202e',
  '\u2028',
  '\ud83d',
  '\\ud83d',
  '\\u0000',
  '\r',
  '\r\n',
  '\n\n\n',
  '\t',
  '"',
  '""',
  "'",
  '\\',
  ',',
  ';',
  ':',
  '{}',
  '[]',
  '{',
  ']',
  '{"a":{"a":{"a":1}}}',
  '../../etc/passwd',
  '/',
  'ﬀ',
  'İ',
  'e\u0301',
  '👩‍👩‍👧',
  'x'.repeat(5000),
  '<|endoftext|>',
  '{}{}{}',
  '%s%n',
  '&amp;&#0;&#x110000;&notit;',
]

const onText =
  (change: (text: string, random: Random, stock: Stock) => string): Change =>
  (bytes, random, stock) =>
    encode(change(decode(bytes), random, stock))

const replaceOne = (text: string, pattern: RegExp, random: Random, by: (found: string) => string): string => {
  const found = [...text.matchAll(pattern)]
  if (found.length === 0) return text
  const { index, 0: whole } = pick(random, found)
  return text.slice(0, index) + by(whole) + text.slice(index + whole.length)
}

const TEXT_CHANGES: readonly Change[] = [
  onText(function replaceNumber(text, random) {
    const number = pick(random, [
      ...EXTREMES.map(String),
      '1e999',
      '-1e-400',
      '0.5',
      '00',
      'NaN',
      '1'.repeat(400),
      '""',
    ])
    return replaceOne(text, /-?\d+(\.\d+)?(e[+-]?\d+)?/gi, random, () => number)
  }),
  onText(function replaceWord(text, random, { words }) {
    return replaceOne(text, /[\w-]+/g, random, () => pick(random, [...words, ...WORDS]))
  }),
  onText(function emptyText(text, random) {
    return replaceOne(text, /"[^"\n]*"/g, random, () => '""')
  }),
  onText(function otherSign(text, random) {
    return replaceOne(text, /[[\]{}",:;\t\n=|-]/g, random, () =>
      pick(random, ['[', ']', '{', '}', '"', ',', ':', '\n', '']),
    )
  }),
  onText(function nest(text, random) {
    const [open, close] = pick(random, [
      ['[', ']'],
      ['{"a":', '}'],
      ['(', ')'],
      ['- ', ''],
      ['"', '"'],
      ['<', '>'],
    ] as const)
    const depth = pick(random, [3, 200, DEEP])
    const at = random.int(text.length + 1)
    return text.slice(0, at) + open.repeat(depth) + pick(random, ['', '1', close.repeat(depth)]) + text.slice(at)
  }),
  onText(function lines(text, random) {
    const all = text.split('\n')
    const [from, to] = range(all.length, random, 5)
    const some = all.slice(from, to)
    const kind = random.int(4)
    if (kind === 0) all.splice(from, to - from)
    else if (kind === 1) all.splice(from, 0, ...some)
    else if (kind === 2) all.splice(from, to - from, ...some.toReversed())
    else return text.replaceAll('\n', pick(random, ['\r\n', '\r', '\u2028', ' ']))
    return all.join('\n')
  }),
  onText(function inside(text, random) {
    return (
      changedJson(text, random) ??
      replaceOne(text, /^[[{].*[\]}]$/gm, random, (line) => changedJson(line, random) ?? line)
    )
  }),
  onText(function insideTwice(text, random) {
    const once = changedJson(text, random) ?? text
    return changedJson(once, random) ?? once
  }),
]

type Holder = Record<string, unknown> | unknown[]
const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null

/** JSON with one value, key or type changed; undefined where the text is none, or nested more deeply than can be written. */
function changedJson(text: string, random: Random): string | undefined {
  try {
    return changedValue(JSON.parse(text), random)
  } catch {
    return undefined
  }
}

function changedValue(root: unknown, random: Random): string | undefined {
  if (!isHolder(root)) return JSON.stringify(oddValue(random))
  const places: [Holder, string][] = []
  const visit = (holder: Holder, depth: number): void => {
    for (const [key, value] of Object.entries(holder)) {
      places.push([holder, key])
      if (isHolder(value) && depth < 100) visit(value, depth + 1)
    }
  }
  visit(root, 0)
  if (places.length === 0) return JSON.stringify(oddValue(random))
  const [holder, key] = pick(random, places)
  change(holder, key, random, places)
  return JSON.stringify(root)
}

function change(holder: Holder, key: string, random: Random, places: readonly [Holder, string][]): void {
  const old: unknown = Reflect.get(holder, key)
  const set = (value: unknown, at = key) =>
    Object.defineProperty(holder, at, { value, enumerable: true, configurable: true, writable: true })
  const nested =
    typeof old === 'string' && /^[[{]/.test(old) && random.int(3) > 0 ? changedJson(old, random) : undefined
  if (nested !== undefined) return void set(nested)
  const [elsewhere, there] = pick(random, places)
  switch (random.int(7)) {
    case 0:
      return void (Array.isArray(holder) ? holder.splice(Number(key), 1) : Reflect.deleteProperty(holder, key))
    case 1:
      return void set([old])
    case 2:
      return void set({ [key]: old })
    case 3:
      return void set(JSON.parse(JSON.stringify(Reflect.get(elsewhere, there) ?? null)))
    case 4:
      if (Array.isArray(holder)) return void holder.push(old, oddValue(random))
      Reflect.deleteProperty(holder, key)
      return void set(
        old,
        pick(random, ['__proto__', 'constructor', 'toString', '', '\0', `${key} `, key.toUpperCase()]),
      )
    default:
      return void set(oddValue(random))
  }
}

function oddValue(random: Random): unknown {
  let deep: unknown = 1
  switch (random.int(10)) {
    case 0:
      for (let i = 0; i < 1000; i++) deep = [deep]
      return deep
    case 1:
      return pick(random, EXTREMES)
    case 2:
      return pick(random, [1e308, -1e308, 0.1, -0.5, 5e-324])
    case 3:
      return JSON.parse('{"__proto__": {"polluted": true}}')
    case 4:
      return Array.from({ length: pick(random, [2, 20_000]) }, (_, i) => i)
    case 5:
      return pick(random, [null, true, false, [], {}, '', [[]], [null]])
    default:
      return pick(random, WORDS)
  }
}
