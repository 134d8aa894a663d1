/**
 * Sequences of tokens laid out so that nothing is computed twice (the text tower is causal): what all of them begin
 * with is there once, the rest of each (its tail) stands with the tails of the same length.
 */
export interface Packing {
  /** Length of the common beginning. */
  readonly prefix: number
  /** Tails by length: `members` are the sequences whose tails stand one after the other. */
  readonly groups: readonly { readonly length: number; readonly members: readonly number[] }[]
  /** The slot of each packed row: the prefix, then group by group, member by member. */
  readonly slots: readonly number[]
  /** The position in its sequence of each packed row. */
  readonly positions: readonly number[]
  /** `place[i]`: where sequence i stands among the members of all groups. */
  readonly place: readonly number[]
}

/**
 * @param sequences for each text its slots (token ids, or whatever numbers stand for equal embeddings), none empty
 * @param sharePrefix false: leave the beginning of each sequence in its tail
 */
export function pack(sequences: readonly (readonly number[])[], sharePrefix = true): Packing {
  const prefix = sharePrefix ? commonPrefix(sequences) : 0
  const lengths = [...new Set(sequences.map((s) => s.length - prefix))].sort((a, b) => a - b)
  const groups = lengths.map((length) => ({
    length,
    members: sequences.flatMap((s, i) => (s.length - prefix === length ? [i] : [])),
  }))
  const order = groups.flatMap(({ members }) => members)
  const slots = (sequences[0] ?? []).slice(0, prefix)
  const positions = slots.map((_, i) => i)
  for (const i of order) {
    for (const [position, slot] of (sequences[i] ?? []).entries()) {
      if (position < prefix) continue
      slots.push(slot)
      positions.push(position)
    }
  }
  const place = new Array<number>(sequences.length)
  for (const [at, i] of order.entries()) place[i] = at
  return { prefix, groups, slots, positions, place }
}

/** How many slots all sequences begin with; at least the last slot of each stays in its tail. */
function commonPrefix(sequences: readonly (readonly number[])[]): number {
  const [head = []] = sequences
  const limit = Math.min(...sequences.map((s) => s.length)) - 1
  let n = 0
  while (n < limit && sequences.every((s) => s[n] === head[n])) n++
  return n
}
