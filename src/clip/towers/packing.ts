import { aFlag, checkArguments, wholeFrom } from '../../base/arguments.ts'
import { ShapeError, UsageError } from '../../base/errors.ts'
import { smallest } from '../../base/extremes.ts'

/**
 * Sequences of tokens laid out so that nothing is computed twice (the text tower is causal): what all of them begin
 * with is there once, the rest of each (its tail) stands with the tails of the same length. Several families of such
 * sequences may be side by side, each with its own beginning; their sequences have the same lengths in the same
 * order.
 */
export interface Packing {
  readonly families: number
  /** Length of the beginning that the sequences of a family share. */
  readonly prefix: number
  /** Tails by length: `members` are the sequences whose tails stand one after the other, family by family. */
  readonly groups: readonly { readonly length: number; readonly members: readonly number[] }[]
  /** The slot of each packed row: the prefix of each family, then group by group, member by member. */
  readonly slots: readonly number[]
  /** The position in its sequence of each packed row. */
  readonly positions: readonly number[]
  /** `place[i]`: where sequence i stands among the members of all groups. */
  readonly place: readonly number[]
}

/**
 * Lays sequences out for the text tower.
 *
 * @param sequences for each text its slots (token ids, or whatever numbers stand for equal embeddings), none empty
 * @param sharePrefix false: leave the beginning of each sequence in its tail
 * @param families how many families the sequences form, one family after the other
 * @throws ShapeError when families have sequences of other lengths; UsageError for no sequences, or empty ones
 */
export function pack(sequences: readonly (readonly number[])[], sharePrefix = true, families = 1): Packing {
  checkArguments('pack', { sharePrefix, families }, { sharePrefix: aFlag, families: wholeFrom(1) })
  if (!areSequences(sequences)) {
    throw new UsageError('pack takes a list of sequences, each a list of whole numbers that is not empty')
  }
  const parts = familiesOf(sequences, families)
  const prefix = sharePrefix ? smallest(parts.map(commonPrefix)) : 0
  const lengths = [...new Set(sequences.map((s) => s.length - prefix))].sort((a, b) => a - b)
  const groups = lengths.map((length) => ({
    length,
    members: sequences.flatMap((s, i) => (s.length - prefix === length ? [i] : [])),
  }))
  const order = groups.flatMap(({ members }) => members)
  const slots = parts.flatMap(([first = []]) => first.slice(0, prefix))
  const positions = slots.map((_, i) => i % prefix)
  for (const i of order) {
    for (const [position, slot] of (sequences[i] ?? []).entries()) {
      if (position < prefix) continue
      slots.push(slot)
      positions.push(position)
    }
  }
  const place = new Array<number>(sequences.length)
  for (const [at, i] of order.entries()) place[i] = at
  return { families, prefix, groups, slots, positions, place }
}

const areSequences = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isSequence)

const isSequence = (slots: unknown): boolean =>
  Array.isArray(slots) && slots.length > 0 && slots.every(Number.isInteger)

function familiesOf<T>(sequences: readonly (readonly T[])[], families: number): (readonly (readonly T[])[])[] {
  const size = sequences.length / families
  const parts = Array.from({ length: families }, (_, f) => sequences.slice(f * size, (f + 1) * size))
  const lengths = parts.map((part) => part.map((s) => s.length).join())
  if (Number.isInteger(size) && lengths.every((of) => of === lengths[0])) return parts
  throw new ShapeError(`${sequences.length} sequences are not ${families} families of the same lengths`)
}

/** How many slots all sequences begin with; at least the last slot of each stays in its tail. */
function commonPrefix(sequences: readonly (readonly number[])[]): number {
  const [head = []] = sequences
  const limit = smallest(sequences.map((s) => s.length)) - 1
  let n = 0
  while (n < limit && sequences.every((s) => s[n] === head[n])) n++
  return n
}
