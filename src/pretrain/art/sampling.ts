import type { Random } from '../../random.ts'
import type { PictureFacts } from './pictures.ts'
import type { Sprite } from './render.ts'

/** One concept's pictures, grouped so that a set with six skin tones counts no more than a set with one. */
interface Concept {
  readonly id: number
  readonly bySet: readonly (readonly Sprite[])[]
}

interface Pool {
  readonly concepts: readonly Concept[]
  /** Running sums of the concepts' weights. */
  readonly sums: Float64Array
}

export interface Drawn {
  readonly sprite: Sprite
  readonly concept: number
}

export interface Sampler {
  /** `size` pictures of different concepts. */
  draw(random: Random, size: number): Drawn[]
  readonly conceptCount: number
}

/** Emoji 3 : icons 1.5 : clip art 0.4. */
const groupShares = { emoji: 3, icon: 1.5, clipart: 0.4 } as const

/** In a share of the batches half of the rows come from one such part, so that like must be told from like. */
const focusShare = 0.3
const focusSections: readonly (readonly string[])[] = [
  ['people-body'],
  ['people-body'],
  ['animals-nature', 'food-drink'],
  ['objects', 'activities', 'travel-places'],
  ['smileys-emotion'],
]

export function createSampler(sprites: readonly Sprite[]): Sampler {
  const ids = new Map<string, number>()
  for (const { facts } of sprites) if (!ids.has(facts.concept)) ids.set(facts.concept, ids.size)
  const idOf = (facts: PictureFacts) => ids.get(facts.concept) ?? 0
  const poolOf = (wanted: (facts: PictureFacts) => boolean) =>
    createPool(
      sprites.filter((sprite) => wanted(sprite.facts)),
      idOf,
    )

  const groups = Object.entries(groupShares)
    .map(([group, share]) => ({ share, pool: poolOf((facts) => facts.group === group) }))
    .filter(({ pool }) => pool.concepts.length > 0)
  const sections = focusSections
    .map((names) => poolOf((facts) => facts.group === 'emoji' && names.includes(facts.section)))
    .filter((pool) => pool.concepts.length > 0)

  const drawGroup = (random: Random) => {
    let chance = random.next() * groups.reduce((sum, { share }) => sum + share, 0)
    const found = groups.find(({ share }) => {
      chance -= share
      return chance < 0
    })
    return (found ?? groups[0]!).pool
  }

  function draw(random: Random, size: number): Drawn[] {
    const focus = random.next() < focusShare ? sections[random.int(sections.length)] : undefined
    const used = new Set<number>()
    const drawn: Drawn[] = []
    // Small pools run out: after many repeats any concept will do.
    for (let tries = 0; drawn.length < size; tries++) {
      const pool = focus !== undefined && tries < 3 * size && random.next() < 0.5 ? focus : drawGroup(random)
      const concept = drawConcept(pool, random)
      if (used.has(concept.id) && tries < 20 * size) continue
      used.add(concept.id)
      drawn.push({ concept: concept.id, sprite: pick(pick(concept.bySet, random), random) })
    }
    return drawn
  }
  return { draw, conceptCount: ids.size }
}

function createPool(sprites: readonly Sprite[], idOf: (facts: PictureFacts) => number): Pool {
  const byConcept = new Map<number, Map<string, Sprite[]>>()
  for (const sprite of sprites) {
    const id = idOf(sprite.facts)
    const sets = byConcept.get(id) ?? new Map<string, Sprite[]>()
    byConcept.set(id, sets)
    const list = sets.get(sprite.facts.set)
    if (list === undefined) sets.set(sprite.facts.set, [sprite])
    else list.push(sprite)
  }
  const concepts = Array.from(byConcept, ([id, sets]) => ({ id, bySet: [...sets.values()] }))
  const sums = new Float64Array(concepts.length)
  let sum = 0
  concepts.forEach((concept, i) => {
    sum += weightOf(concept)
    sums[i] = sum
  })
  return { concepts, sums }
}

/** Flags and signs are many and tell little; people come in many tones and deserve to be seen more. */
function weightOf({ bySet }: Concept): number {
  const facts = bySet[0]![0]!.facts
  if (facts.section === 'flags') return 0.12
  if (facts.section === 'symbols') return 0.4
  return bySet.some((sprites) => sprites.length >= 5) ? 1.5 : 1
}

function drawConcept({ concepts, sums }: Pool, random: Random): Concept {
  const target = random.next() * sums[sums.length - 1]!
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sums[middle]! > target) high = middle
    else low = middle + 1
  }
  return concepts[low]!
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.int(items.length)]!
}
