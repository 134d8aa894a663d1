import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const FOLDER = new URL('corpus/', import.meta.url)

const entrySchema = z
  .strictObject({
    reader: z.string(),
    /** What failed once. */
    why: z.string(),
    /** A text, or parts of one; `["[", 5000]` stands for so many. */
    text: z.union([z.string(), z.array(z.union([z.string(), z.tuple([z.string(), z.int()])]))]).optional(),
    base64: z.string().optional(),
    /** The answer: it is accepted, or refused with words that this regular expression finds. */
    accepted: z.literal(true).optional(),
    refused: z.string().optional(),
  })
  .refine(({ text, base64 }) => (text === undefined) !== (base64 === undefined), 'either text or base64')
  .refine(({ accepted, refused }) => (accepted === undefined) !== (refused === undefined), 'either accepted or refused')
type Entry = z.output<typeof entrySchema>

/** Inputs that failed once, by the names of their files. */
export const CORPUS: ReadonlyMap<string, Entry> = new Map(
  readdirSync(FOLDER)
    .sort()
    .map((file) => [file, entrySchema.parse(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')))]),
)

export function entryOf(name: string): Entry {
  const entry = CORPUS.get(name)
  if (entry === undefined) throw new Error(`there is no test/fuzz/corpus/${name}`)
  return entry
}

export function bytesOf({ text, base64 }: Entry): Uint8Array {
  if (base64 !== undefined) return new Uint8Array(Buffer.from(base64, 'base64'))
  const parts = [text ?? ''].flat()
  return new TextEncoder().encode(
    parts.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join(''),
  )
}

/** How an answer differs from the one that an entry must get, if it does; `message` is that of a refusal. */
export function wrongAnswer({ refused }: Entry, message: string | undefined): string | undefined {
  if (refused === undefined) return message && `it must be accepted, and is refused: ${message}`
  if (message === undefined) return `it must be refused (${refused}), and is accepted`
  return new RegExp(refused).test(message) ? undefined : `it must be refused with ${refused}, and is with: ${message}`
}
