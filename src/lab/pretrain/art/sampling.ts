import type { Random } from '../../../base/random.ts'
import type { Sprite } from './render.ts'
import type { PictureFacts } from './types.ts'

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

/** What tells pictures of one concept apart, and so has to be in their captions. */
export type Contrast = 'tone' | 'style'

export interface Drawn {
  readonly sprite: Sprite
  /** Pictures with the same number may share a caption. */
  readonly concept: number
  readonly contrast?: Contrast
}

export interface Sampler {
  /** `size` pictures of different concepts, or of one concept in different tones or styles. */
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

/** In a share of the batches half of the rows are one concept in all its tones, or in all its styles. */
const contrasts: readonly { contrast: Contrast; share: number }[] = [
  { contrast: 'tone', share: 0.07 },
  { contrast: 'style', share: 0.07 },
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

  const everything = poolOf((facts) => facts.group === 'emoji')

  const drawGroup = (random: Random) => {
    let chance = random.next() * groups.reduce((sum, { share }) => sum + share, 0)
    const found = groups.find(({ share }) => {
      chance -= share
      return chance < 0
    })
    return (found ?? groups[0]!).pool
  }

  const families: Readonly<Record<Contrast, readonly Concept[]>> = {
    tone: everything.concepts.filter(({ bySet }) => bySet.some(hasTones)),
    style: everything.concepts.filter(({ bySet }) => bySet.length >= 4),
  }

  /** Families until half of the batch is full. Each member counts as a concept of its own. */
  function drawFamilies(contrast: Contrast, random: Random, size: number): Drawn[] {
    const drawn: Drawn[] = []
    const order = random.permutation(families[contrast].length)
    for (const i of order) {
      const { id, bySet } = families[contrast][i]!
      const members =
        contrast === 'style' ? bySet.map((sprites) => pick(sprites, random)) : pick(bySet.filter(hasTones), random)
      if (drawn.length + members.length > size / 2) break
      members.forEach((sprite, k) => {
        drawn.push({ sprite, contrast, concept: id + (k + 1) * ids.size })
      })
    }
    return drawn
  }

  function draw(random: Random, size: number): Drawn[] {
    const kind = drawKind(random)
    const drawn = kind === undefined || kind === 'focus' ? [] : drawFamilies(kind, random, size)
    const used = new Set(drawn.map(({ concept }) => concept % ids.size))
    const focus = kind === 'focus' ? sections[random.int(sections.length)] : undefined
    // Small pools run out: after many repeats any concept will do.
    for (let tries = 0; drawn.length < size; tries++) {
      const pool = focus !== undefined && tries < 3 * size && random.next() < 0.5 ? focus : drawGroup(random)
      const concept = drawConcept(pool, random)
      if (used.has(concept.id) && tries < 20 * size) continue
      used.add(concept.id)
      drawn.push({ concept: concept.id, sprite: pick(pick(concept.bySet, random), random) })
    }
    // The rows' places decide the lengths of their captions: families must not always get the short ones.
    return Array.from(random.permutation(size), (i) => drawn[i]!)
  }
  return { draw, conceptCount: ids.size }
}

function drawKind(random: Random): Contrast | 'focus' | undefined {
  let chance = random.next()
  for (const { contrast, share } of contrasts) {
    chance -= share
    if (chance < 0) return contrast
  }
  return chance < focusShare ? 'focus' : undefined
}

/** One person in at least five skin tones; couples have more, which few words can tell apart. */
function hasTones(sprites: readonly Sprite[]): boolean {
  return sprites.length >= 5 && sprites.length <= 6
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
  return bySet.some(hasTones) ? 1.5 : 1
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
