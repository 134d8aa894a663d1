import { randomFor } from '../../src/base/random.ts'
import { mutated } from './mutate.ts'
import type { Prepared, Reader } from './reader.ts'
import { READERS } from './readers.ts'

/** The readers that take their turns: those named, or all that do not wait for something. */
export function chosenReaders(names: readonly string[]): readonly Reader[] {
  return READERS.filter(({ name }) => names.length === 0 || names.includes(name))
}

/** Case i is for this one, whichever readers are chosen. */
export const readerOf = (i: number): Reader => READERS[i % READERS.length]!

/** The input of case i of a seed: always the same. */
export function inputOf(
  reader: Reader,
  { seeds }: Pick<Prepared, 'seeds'>,
  seed: number,
  i: number,
): Promise<Uint8Array> {
  const { text = false, words = [], shell } = reader
  return mutated(randomFor('fuzz', seed, reader.name, i), { seeds, text, words, shell })
}
