import type { Random } from '../../../base/random.ts'
import { toneNames } from './emoji.ts'
import type { Contrast } from './sampling.ts'
import type { PictureFacts } from './types.ts'
import type { Named } from './view.ts'
import {
  backgroundWords,
  effectWords,
  fillers,
  inkWords,
  kindWords,
  plainStyle,
  poseWords,
  type StyleWords,
  styleWords,
  templates,
  uprightWords,
} from './words.ts'

/** Tokens a caption may have, without start and end token. */
export interface CaptionRoom {
  /** Longer than this, where there is enough to say. */
  readonly least: number
  /** At most this many, unless the bare name is longer. */
  readonly most: number
}

const nameShares = { keyword: 0.1, kind: 0.12 }

/**
 * A caption for a picture shown as `named` says, filled up with keywords, attributes, style words and idle phrases
 * until it has the asked number of tokens. Much of it stands before the name, so that names are met at all positions
 * where prompt learning will put them. `contrast` is what other pictures of the batch differ in: it is told first.
 */
export function captionFor(
  facts: PictureFacts,
  named: readonly Named[],
  random: Random,
  tokenCount: (text: string) => number,
  { least, most }: CaptionRoom,
  contrast?: Contrast,
): string {
  const style = styleWords[facts.style] ?? plainStyle
  const name = drawName(facts, random)
  let core = fill(pick(templates, random), name, style, random)
  if (tokenCount(core) > most) core = name
  let room = most - tokenCount(core)

  const front: string[] = []
  const back: string[] = []
  const inFront = pick([0.15, 0.5, 0.85], random)
  const add = (phrase: string) => {
    const tokens = tokenCount(phrase) + 1
    if (tokens > room) return
    room -= tokens
    if (random.next() < inFront) front.push(phrase)
    else back.push(phrase)
  }

  if (contrast === 'tone') for (const phrase of tonePhrases(facts, random).slice(0, 1)) add(phrase)
  if (contrast === 'style' && !hasEffect(named)) add(`${pick(style.names, random)} style`)
  for (const item of named) add(namedPhrase(item, random))
  const enough = () => most - room > least
  // A short caption is not stuffed: half of the facts of a long one say more than all of them in a row.
  for (const fact of shuffled(factPhrases(facts, name, style, named, random), random)) {
    if (enough()) break
    add(fact)
  }
  for (let tries = 0; tries < 12 && !enough(); tries++) add(pick(fillers, random))
  const stop = room > 0 && random.next() < 0.4 ? '.' : ''
  return `${[...shuffled(front, random), core, ...shuffled(back, random)].join(', ')}${stop}`
}

function drawName(facts: PictureFacts, random: Random): string {
  const chance = random.next()
  if (chance < nameShares.keyword && facts.keywords.length > 0) return pick(facts.keywords, random)
  const kinds = kindWords[facts.subgroup]
  if (chance < nameShares.keyword + nameShares.kind && kinds !== undefined) return pick(kinds, random)
  return pick(nameForms(facts), random)
}

/** The name in plain words, for people also as "female X", "X, woman" and without the person. */
export function nameForms(facts: PictureFacts): string[] {
  const label = plainLabel(facts.label)
  const person = /^(man|woman|men|women|person|people) (.+)$/.exec(label)
  if (person === null || facts.section !== 'people-body') return [label]
  const [, who = '', rest = ''] = person
  if (/^(with|in|and|holding) /.test(rest)) return [label]
  const sex = who.startsWith('m') ? 'male' : who.startsWith('w') ? 'female' : who
  return [label, label, rest, rest, `${sex} ${rest}`, `${rest}, ${who}`]
}

/** `woman: blond hair` as `woman with blond hair`, without quotes and brackets. */
export function plainLabel(label: string): string {
  return label
    .replace(/^flag: /, 'flag of ')
    .replace(/^(man|woman|person): /, '$1 with ')
    .replace(/: facing right/, ' facing right')
    .replaceAll(/[“”"():!]/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function factPhrases(
  facts: PictureFacts,
  name: string,
  style: StyleWords,
  named: readonly Named[],
  random: Random,
): string[] {
  const kinds = [...(kindWords[facts.subgroup] ?? [facts.subgroup]), ...(kindWords[facts.section] ?? [])]
  const phrases = [...facts.keywords, ...kinds, ...tonePhrases(facts, random)]
  if (random.next() < 0.5) phrases.push(plainLabel(facts.label))
  // An effect changes the look, so the style of the set would be half true.
  if (!hasEffect(named)) phrases.push(pick(style.looks, random), stylePhrase(style, random))
  if (!named.some((item) => item.kind === 'pose') && random.next() < 0.15) phrases.push(pick(uprightWords, random))
  return [...new Set(phrases)].filter((phrase) => phrase !== '' && phrase !== name)
}

function hasEffect(named: readonly Named[]): boolean {
  return named.some((item) => item.kind === 'effect')
}

function stylePhrase(style: StyleWords, random: Random): string {
  return random.next() < 0.6 ? `${pick(style.looks, random)} style` : `in the style of ${pick(style.names, random)}`
}

const yellowPeople = /^(hand-|hands|person$|person-gesture|person-role|person-activity|person-sport|person-resting)/
/** Skin tones weigh more than one keyword among twenty: they come in two forms. */
function tonePhrases(facts: PictureFacts, random: Random): string[] {
  const [first, second] = facts.tones
  if (first === undefined) {
    const yellow = facts.palette && facts.section === 'people-body' && yellowPeople.test(facts.subgroup)
    return yellow ? [pick(['yellow skin', 'yellow skin tone', 'with yellow skin'], random)] : []
  }
  const tone = toneNames[first] ?? ''
  if (second !== undefined) return [`${tone} and ${toneNames[second] ?? ''} skin tone`]
  return [pick([`${tone} skin tone`, `with ${tone} skin tone`], random), `${tone} skin`]
}

function namedPhrase(item: Named, random: Random): string {
  switch (item.kind) {
    case 'pose':
      return pick(poseWords[item.value], random)
    case 'effect':
      return pick(effectWords[item.value], random)
    case 'background':
      return pick(backgroundWords, random).replace('{}', item.value)
    case 'ink':
      return pick(inkWords, random).replace('{}', item.value)
  }
}

function fill(template: string, name: string, style: StyleWords, random: Random): string {
  return template
    .replace('{noun}', pick(style.nouns, random))
    .replace('{look}', pick(style.looks, random))
    .replaceAll(/\ba (?=[aeiou])/g, 'an ')
    .replace('{}', name)
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.int(items.length)]!
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return Array.from(random.permutation(items.length), (i) => items[i]!)
}
