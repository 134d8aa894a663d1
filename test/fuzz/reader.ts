import { join } from 'node:path'
import { type ByteSource, bytesSource } from '../../src/formats/safetensors.ts'
import type { Shell } from './mutate.ts'

/** Something that reads a foreign file or text, with what it reads when all is well. */
export interface Reader {
  readonly name: string
  /** Its inputs are text. */
  readonly text?: boolean
  /** Words of its language, to be put where they do not belong. */
  readonly words?: readonly string[]
  readonly shell?: Shell
  /** @param scratch a folder of its own */
  prepare(scratch: string): Promise<Prepared> | Prepared
}

export interface Prepared {
  /** Small valid inputs. */
  readonly seeds: readonly Uint8Array[]
  /** Reads one: whatever it gives is right, and so is a CoopError. */
  read(input: Uint8Array): unknown
  close?(): Promise<void> | void
}

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
export const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const json = (value: unknown): Uint8Array => encode(JSON.stringify(value, null, 1))
export const source = (input: Uint8Array, name = 'INPUT'): ByteSource => bytesSource(name, input)

/** A reader of texts in memory. */
export function textReader(
  name: string,
  seeds: readonly string[],
  read: (text: string) => unknown,
  words: readonly string[] = [],
): Reader {
  return {
    name,
    text: true,
    words,
    prepare: () => ({ seeds: seeds.map(encode), read: (input) => read(decode(input)) }),
  }
}

/** Where a reader finds its input on disk. */
export const inputIn = (scratch: string, file: string): string => join(scratch, file)
