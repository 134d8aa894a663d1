import { randomFor } from '../../src/base/random.ts'
import { bytesOf, entryOf } from './corpus.ts'
import { mutated } from './mutate.ts'
import type { Prepared, Reader } from './reader.ts'
import { READERS } from './readers.ts'

/** A mutated input by its number, or one that failed once by its name in the corpus. */
export type Case = number | string

/** The readers that take their turns: those named, or all that do not wait for something. */
export function chosenReaders(names: readonly string[]): readonly Reader[] {
  return READERS.filter(({ name }) => names.length === 0 || names.includes(name))
}

/** Which reader a case is for, whichever are chosen. */
export function readerOf(which: Case): Reader {
  if (typeof which === 'number') return READERS[which % READERS.length]!
  const { reader: wanted } = entryOf(which)
  const reader = READERS.find(({ name }) => name === wanted)
  if (reader === undefined) throw new Error(`test/fuzz/corpus/${which}: there is no reader "${wanted}"`)
  return reader
}

/** The input of a case of a seed: always the same. */
export async function inputOf(
  reader: Reader,
  { seeds }: Pick<Prepared, 'seeds'>,
  seed: number,
  which: Case,
): Promise<Uint8Array> {
  if (typeof which === 'string') return bytesOf(entryOf(which))
  const { text = false, words = [], shell } = reader
  return mutated(randomFor('fuzz', seed, reader.name, which), { seeds, text, words, shell })
}
