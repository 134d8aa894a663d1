import { aFlag, checkArguments, wholeFrom } from '../../base/arguments.ts'
import { ShapeError, UsageError } from '../../base/errors.ts'
import { common, treesOf } from './trees.ts'

/**
 * Sequences of tokens laid out so that nothing is computed twice (the text tower is causal): what all of them begin with
 * is there once, the rest of each (its tail) stands in a tree, in which beginnings that are alike are there once. A tree
 * holds several tails, so that attention has few products of a good size. Several families of such sequences may
 * be side by side, each with its own beginning; their sequences have the same lengths in the same order.
 */
export interface Packing {
  readonly families: number
  /** Length of the beginning that the sequences of a family share. */
  readonly prefix: number
  /** The trees of a family: which row of its tree each row follows; -1: it follows the prefix. */
  readonly trees: readonly (readonly number[])[]
  /** The slot of each packed row: the prefix of each family, then family by family, tree by tree. */
  readonly slots: readonly number[]
  /** The position in its sequence of each packed row. */
  readonly positions: readonly number[]
  /** The packed row of each sequence's last token. */
  readonly ends: readonly number[]
}

/**
 * Lays sequences out for the text tower.
 *
 * @param sequences for each text its slots (token ids, or whatever numbers stand for equal embeddings), none empty
 * @param share false: each sequence is a tree of its own, beginning included, in the order in which they are given
 * @param families how many families the sequences form, one family after the other
 * @throws ShapeError when families have sequences of other lengths; UsageError for no sequences, or empty ones
 */
export function pack(sequences: readonly (readonly number[])[], share = true, families = 1): Packing {
  checkArguments('pack', { share, families }, { share: aFlag, families: wholeFrom(1) })
  if (!areSequences(sequences)) {
    throw new UsageError('pack takes a list of sequences, each a list of whole numbers that is not empty')
  }
  const parts = familiesOf(sequences, families)
  const [first = []] = parts
  // alike is what is alike in all families
  const keys = families === 1 ? first : distinct(first, parts)
  const prefix = share ? commonPrefix(keys) : 0
  const members = share
    ? treesOf(
        keys.map((s) => s.slice(prefix)),
        prefix,
      )
    : keys.map((_, i) => [i])
  const trees = members.map((of) => treeOf(of, keys, prefix))
  const rows = trees.reduce((sum, { rows }) => sum + rows.length, 0)
  const slots = parts.flatMap(([s = []]) => s.slice(0, prefix))
  const positions = slots.map((_, i) => i % prefix)
  const ends = new Array<number>(sequences.length)
  for (const [f, part] of parts.entries()) {
    for (const tree of trees) {
      for (const [sequence, row] of tree.ends) ends[f * first.length + sequence] = slots.length + row
      for (const { sequence, position } of tree.rows) {
        slots.push(part[sequence]?.[position] ?? 0)
        positions.push(position)
      }
    }
  }
  if (slots.length !== families * (prefix + rows)) throw new Error('rows of a packing were lost')
  return {
    families,
    prefix,
    trees: trees.map(({ rows }) => rows.map(({ follows }) => follows)),
    slots,
    positions,
    ends,
  }
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

/** The sequences of a family, with equal numbers where the slots are equal in every family. */
function distinct(
  first: readonly (readonly number[])[],
  parts: readonly (readonly (readonly number[])[])[],
): number[][] {
  const known = new Map<string, number>()
  return first.map((s, i) =>
    s.map((_, position) => {
      const slots = parts.map((part) => part[i]?.[position]).join()
      const number = known.get(slots) ?? known.size
      known.set(slots, number)
      return number
    }),
  )
}

/** How many slots all sequences begin with; at least the last slot of each stays in its tail. */
function commonPrefix(sequences: readonly (readonly number[])[]): number {
  const [head = []] = sequences
  return sequences.reduce((n, s) => Math.min(n, common(head, s), s.length - 1), head.length)
}

/** A row stands for the token at `position` of a sequence, and follows another row of its tree. */
interface Tree {
  readonly rows: readonly { readonly sequence: number; readonly position: number; readonly follows: number }[]
  /** Sequences and the rows that end them. */
  readonly ends: ReadonlyMap<number, number>
}

/** The tree of the tails of some sequences; those that begin alike follow each other. */
function treeOf(members: readonly number[], sequences: readonly (readonly number[])[], prefix: number): Tree {
  const rows: { sequence: number; position: number; follows: number }[] = []
  const ends = new Map<number, number>()
  let path: readonly number[] = []
  let before: readonly number[] = []
  for (const sequence of members) {
    const own = sequences[sequence] ?? []
    const known = path.slice(0, Math.max(0, common(own, before) - prefix))
    for (let position = prefix + known.length; position < own.length; position++) {
      known.push(rows.push({ sequence, position, follows: known.at(-1) ?? -1 }) - 1)
    }
    ends.set(sequence, known.at(-1) ?? -1)
    path = known
    before = own
  }
  return { rows, ends }
}
