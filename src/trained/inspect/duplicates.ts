import { breathing } from '../../base/breathe.ts'
import { medianOf } from './median.ts'
import type { Neighbours } from './neighbours.ts'

/** Pictures that are the same, or nearly. */
export interface Alike {
  /** Indices, in order. */
  readonly pictures: readonly number[]
  /** Their content is the same to the last bit. */
  readonly same: boolean
  /** The least cosine of neighbours that joined them. */
  readonly cosine: number
}

/** Cosine of pictures that are nearly the same, at least. */
const NEAR = 0.98
/** They are nearer than this share of what is usual between a picture and its nearest other. */
const OF_USUAL = 0.1

/**
 * Groups of pictures with the same content, and groups joined by neighbours so near that they are nearly the same, where
 * these have more than one content.
 * @param contents a hash of each picture
 */
export async function alikePictures(
  contents: readonly string[],
  { count, indices, cosines }: Neighbours,
): Promise<Alike[]> {
  const n = contents.length
  const nearest = contents.map((_, i) => cosines[i * count] ?? 0)
  const near = Math.max(NEAR, 1 - OF_USUAL * (1 - medianOf(nearest)))
  const equal = new Groups(n)
  const alike = new Groups(n)
  const firstWith = new Map<string, number>()
  await breathing(n, (i) => {
    const content = contents[i] ?? ''
    const first = firstWith.get(content)
    if (first === undefined) firstWith.set(content, i)
    else for (const groups of [equal, alike]) groups.join(first, i, 1)
    for (let k = i * count; k < (i + 1) * count && cosines[k]! >= near; k++) alike.join(i, indices[k]!, cosines[k]!)
  })
  const nearly = (await alike.all()).filter(({ pictures }) => new Set(pictures.map((i) => contents[i])).size > 1)
  return [
    ...(await equal.all()).map((group) => ({ ...group, same: true })),
    ...nearly.map((group) => ({ ...group, same: false })),
  ]
}

/** Groups of the numbers up to n, which grow together; each is led by the least of its numbers. */
class Groups {
  readonly #leaders: Int32Array
  readonly #least: Float32Array

  constructor(n: number) {
    this.#leaders = Int32Array.from({ length: n }, (_, i) => i)
    this.#least = new Float32Array(n).fill(1)
  }

  #leaderOf(i: number): number {
    const leaders = this.#leaders
    let leader = i
    while (leaders[leader] !== leader) {
      leaders[leader] = leaders[leaders[leader]!]!
      leader = leaders[leader]!
    }
    return leader
  }

  join(i: number, j: number, cosine: number): void {
    const [a, b] = [this.#leaderOf(i), this.#leaderOf(j)]
    const first = Math.min(a, b)
    this.#least[first] = Math.min(this.#least[a]!, this.#least[b]!, cosine)
    this.#leaders[Math.max(a, b)] = first
  }

  /** Those of two or more. */
  async all(): Promise<Omit<Alike, 'same'>[]> {
    const groups = new Map<number, number[]>()
    await breathing(this.#leaders.length, (i) => {
      const leader = this.#leaderOf(i)
      const group = groups.get(leader)
      if (group === undefined) groups.set(leader, [i])
      else group.push(i)
    })
    return [...groups].flatMap(([leader, pictures]) =>
      pictures.length < 2 ? [] : [{ pictures, cosine: this.#least[leader]! }],
    )
  }
}
