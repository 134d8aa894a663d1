import { FileError } from '../../../base/errors.ts'
import { type Emoji, loadEmoji, loadEmojiNames, squeeze } from './emoji.ts'
import { type Icon, loadIconSet } from './iconify.ts'
import { listClipart } from './openclipart.ts'
import type { Picture, PictureSet } from './types.ts'

interface EmojiSetRow {
  readonly set: string
  readonly group: 'emoji'
}
interface IconSetRow {
  readonly set: string
  readonly group: 'icon'
  /** Endings of icon names that mean another style; an icon whose ending has no style is left out. */
  readonly endings: Readonly<Record<string, string | undefined>>
  readonly style: string
}

/** The training sets. Fluent, OpenMoji, EmojiOne v1 and Streamline stay out: the demo is about styles never seen. */
export const trainingSets: readonly (EmojiSetRow | IconSetRow)[] = [
  { set: 'noto', group: 'emoji' },
  { set: 'noto-v1', group: 'emoji' },
  { set: 'twemoji', group: 'emoji' },
  { set: 'emojione', group: 'emoji' },
  { set: 'emojione-monotone', group: 'emoji' },
  { set: 'fxemoji', group: 'emoji' },
  { set: 'icon-park', group: 'icon', style: 'coloured line', endings: {} },
  { set: 'flat-color-icons', group: 'icon', style: 'flat colour', endings: {} },
  { set: 'game-icons', group: 'icon', style: 'silhouette', endings: {} },
  { set: 'mdi', group: 'icon', style: 'solid', endings: { '-outline': 'line', '-variant': undefined } },
  { set: 'tabler', group: 'icon', style: 'line', endings: { '-filled': 'solid', '-off': undefined } },
  { set: 'lucide', group: 'icon', style: 'line', endings: { '-off': undefined } },
  {
    set: 'ph',
    group: 'icon',
    style: 'line',
    endings: { '-fill': 'solid', '-duotone': 'duotone', '-bold': undefined, '-light': undefined, '-thin': undefined },
  },
  {
    set: 'healthicons',
    group: 'icon',
    style: 'solid',
    endings: { '-outline': 'line', '-outline-24px': undefined, '-24px': undefined, '-negative': undefined },
  },
]

/** Lists the pictures of every training set, in a fixed order; clip art only where Debian's package is installed. */
export async function listTrainingPictures(): Promise<PictureSet[]> {
  const emoji = await loadEmoji()
  const names = await loadEmojiNames(emoji)
  const sets: PictureSet[] = []
  for (const row of trainingSets) sets.push(await listSet(row, emoji, names))
  const clipart = await listClipart()
  if (clipart.pictures.length > 0) sets.push(clipart)
  return sets
}

/** The pictures of one training set, by name. Throws FileError for an unknown one. */
export async function listPictureSet(set: string): Promise<PictureSet> {
  const row = trainingSets.find((one) => one.set === set)
  if (row === undefined) throw new FileError(`${set} is no training set`)
  const emoji = await loadEmoji()
  return await listSet(row, emoji, await loadEmojiNames(emoji))
}

async function listSet(
  row: EmojiSetRow | IconSetRow,
  emoji: ReadonlyMap<string, Emoji>,
  names: ReadonlyMap<string, string>,
): Promise<PictureSet> {
  if (row.group === 'emoji') return await emojiSet(row.set, emoji, names)
  return await iconSet(row, new Map([...emoji.values()].map((entry) => [squeeze(entry.label), entry])))
}

async function emojiSet(
  set: string,
  emoji: ReadonlyMap<string, Emoji>,
  names: ReadonlyMap<string, string>,
): Promise<PictureSet> {
  const { icons, codes, palette } = await loadIconSet(set)
  const codeOf = new Map<string, string>()
  for (const [code, name] of codes) if (emoji.has(code) && !codeOf.has(name)) codeOf.set(name, code)
  const pictures: Picture[] = []
  for (const icon of icons.values()) {
    const code = codeOf.get(icon.name) ?? names.get(squeeze(icon.name)) ?? names.get(squeeze(newName(icon.name)))
    const entry = code === undefined ? undefined : emoji.get(code)
    if (entry !== undefined) pictures.push(emojiPicture(set, icon, entry, palette))
  }
  return { name: set, pictures, leftOut: icons.size - pictures.length }
}

/** Older sets use names that Unicode has given up. */
const renames: readonly (readonly [old: RegExp, now: string])[] = [
  [/^blond-haired-person/, 'person-blond-hair'],
  [/^bride-with-veil/, 'person-with-veil'],
  [/^man-with-chinese-cap/, 'person-with-skullcap'],
  [/^(.*)cat-face/, '$1cat'],
  [/^flag-for-/, 'flag-'],
  [/^laptop-computer/, 'laptop'],
]

function newName(name: string): string {
  return renames.reduce((text, [old, now]) => text.replace(old, now), name)
}

function emojiPicture(set: string, icon: Icon, entry: Emoji, palette: boolean): Picture {
  const { label, keywords, subgroup, group: section, tones } = entry
  return {
    id: `${set}/${icon.name}`,
    set,
    style: set,
    group: 'emoji',
    concept: squeeze(label),
    label,
    keywords,
    subgroup,
    section,
    tones,
    palette,
    flippable: !['symbols', 'flags'].includes(section) && !hasSide(label),
    source: { svg: icon.svg },
  }
}

async function iconSet(row: IconSetRow, byLabel: ReadonlyMap<string, Emoji>): Promise<PictureSet> {
  const { icons, palette } = await loadIconSet(row.set)
  const endings = Object.entries(row.endings).sort(([a], [b]) => b.length - a.length)
  const pictures: Picture[] = []
  for (const icon of icons.values()) {
    const ending = endings.find(([text]) => icon.name.endsWith(text))
    const style = ending === undefined ? row.style : ending[1]
    const name = ending === undefined ? icon.name : icon.name.slice(0, -ending[0].length)
    if (style === undefined || !isDrawing(name, icon.categories)) continue
    const label = name.replaceAll('-', ' ').replace(/ \d+$/, '')
    // An icon with an emoji's name shows the same thing: what is known of one holds for the other.
    const alike = byLabel.get(squeeze(label))
    pictures.push({
      id: `${row.set}/${icon.name}`,
      set: row.set,
      style,
      group: 'icon',
      concept: squeeze(label),
      label,
      keywords: alike?.keywords ?? [],
      subgroup: alike?.subgroup ?? (icon.categories[0] ?? '').toLowerCase().replaceAll(/ [/+] /g, ' and '),
      section: '',
      tones: [],
      palette,
      flippable: !hasSide(label),
      source: { svg: icon.svg },
    })
  }
  return { name: row.set, pictures, leftOut: icons.size - pictures.length }
}

function hasSide(label: string): boolean {
  return /\b(left|right|leftwards|rightwards|clockwise|counterclockwise|clock|o['’]clock|thirty|east|west)\b/.test(
    label,
  )
}

const interfaceWords =
  /(^|-)(align|arrows?|axis|badge|border|brackets?|brand|breakpoint|caret|chevrons?|circle|code|column|cog|component|cursor|database|edit|exclamation|file|folder|format|forward|git|grid|hexagon|indent|input|layers?|layout|letter|logo|math|minus|multiple|number|numeric|octagon|off|outline|pagination|panel|plus|remove|row|server|settings|sort|square|table|tab|text|trending|variant|vector|view|x|alpha|alphabet|api|box|check|cancel|clock|close|refresh|reload|sync|select|selection|send|signal|wifi|window)(-|$)/
const interfaceCategories = new Set([
  'Alpha / Numeric',
  'Brand / Logo',
  'Arrange',
  'Arrow',
  'Brand',
  'Typography',
  'Edit',
  'Arrows',
])

/** Brands, letters and the controls of user interfaces say little about things: they are left out by name. */
function isDrawing(name: string, categories: readonly string[]): boolean {
  if (/\d/.test(name.replace(/-\d$/, '')) || name.length < 3) return false
  if (categories.some((category) => interfaceCategories.has(category))) return false
  return !interfaceWords.test(name) && name.split('-').length <= 4
}
