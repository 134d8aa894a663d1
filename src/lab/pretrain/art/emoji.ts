import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { z } from 'zod'
import { FileError } from '../../../base/errors.ts'

/** One emoji, or one variant of it (skin tone), as Unicode's annotations describe it. */
export interface Emoji {
  /** Code points in upper-case hexadecimal without variation selectors, `1F468-1F3FB-200D-2695`. */
  readonly code: string
  /** The code of the emoji without skin tone. */
  readonly base: string
  /** The name without skin tone: `man health worker`. */
  readonly label: string
  readonly keywords: readonly string[]
  /** `people-body`, `animals-nature`, ... */
  readonly group: string
  /** `person-role`, `animal-mammal`, ... */
  readonly subgroup: string
  /** Skin tones from 1 (light) to 5 (dark); couples have two. */
  readonly tones: readonly number[]
}

export const toneNames = ['', 'light', 'medium-light', 'medium', 'medium-dark', 'dark'] as const

const require = createRequire(import.meta.url)

/** Reads a JSON file of an npm package and checks its shape; a package that is not installed is a clear error. */
export async function readPackageJson<T>(path: string, shape: z.ZodType<T>): Promise<T> {
  const file = resolvePackageFile(path)
  const parsed = shape.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (parsed.success) return parsed.data
  throw new FileError(`${file} does not have the expected structure: ${parsed.error.issues[0]?.message ?? 'unknown'}`)
}

/** The file's path on disk. Throws a FileError when the package is missing. */
export function resolvePackageFile(path: string): string {
  try {
    return require.resolve(path)
  } catch (cause) {
    throw new FileError(
      `${path} is not installed`,
      'run npm ci: the pictures come from development dependencies of this project',
      { cause },
    )
  }
}

const toneShape = z.union([z.number(), z.array(z.number())]).optional()
const emojiShape = z.object({
  label: z.string(),
  hexcode: z.string(),
  emoji: z.string(),
  tags: z.array(z.string()).optional(),
  group: z.number().optional(),
  subgroup: z.number().optional(),
  skins: z.array(z.object({ hexcode: z.string(), tone: toneShape })).optional(),
})
const groupsShape = z.object({ groups: z.record(z.string(), z.string()), subgroups: z.record(z.string(), z.string()) })

/** Upper case, no variation selectors: the sets write codes in different ways. */
export function normaliseCode(code: string): string {
  return code
    .toUpperCase()
    .split(/[-_]/)
    .filter((point) => point !== 'FE0F')
    .join('-')
}

/** All emoji with their skin-tone variants, by normalised code, in Unicode's order. */
export async function loadEmoji(): Promise<ReadonlyMap<string, Emoji>> {
  const [entries, names, more] = await Promise.all([
    readPackageJson('emojibase-data/en/data.json', z.array(emojiShape)),
    readPackageJson('emojibase-data/meta/groups.json', groupsShape),
    readPackageJson('emojilib/dist/emoji-en-US.json', z.record(z.string(), z.array(z.string()))),
  ])
  const table = new Map<string, Emoji>()
  for (const entry of entries) {
    if (entry.group === undefined || entry.subgroup === undefined) continue
    const base = normaliseCode(entry.hexcode)
    const label = entry.label.toLowerCase()
    const words = [...(entry.tags ?? []), ...(more[entry.emoji] ?? [])].map((word) =>
      word.replaceAll('_', ' ').toLowerCase(),
    )
    const shared = {
      base,
      label,
      keywords: [...new Set(words)].filter((word) => word !== label && /^[a-z][a-z' -]+$/.test(word)),
      group: names.groups[entry.group] ?? 'other',
      subgroup: names.subgroups[entry.subgroup] ?? 'other',
    }
    table.set(base, { ...shared, code: base, tones: [] })
    for (const skin of entry.skins ?? []) {
      const code = normaliseCode(skin.hexcode)
      table.set(code, { ...shared, code, tones: [skin.tone ?? []].flat() })
    }
  }
  return table
}

/** Letters and digits only: `1st-place-medal`, `1st place medal` and `1stplacemedal` are one name. */
export function squeeze(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

/** From squeezed names (labels and well-known short codes) to codes, for sets whose icons have names only. */
export async function loadEmojiNames(emoji: ReadonlyMap<string, Emoji>): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  const add = (name: string, code: string) => {
    const key = squeeze(name)
    if (key !== '' && !names.has(key) && emoji.has(code)) names.set(key, code)
  }
  for (const { code, label, tones } of emoji.values()) {
    const ending = tones.map((tone) => ` ${toneNames[tone]} skin tone`).join('')
    add(`${label}${ending}`, code)
  }
  const chars = z.record(z.string(), z.string())
  for (const set of ['noto', 'twemoji']) {
    for (const [code, name] of Object.entries(await readPackageJson(`@iconify-json/${set}/chars.json`, chars)))
      add(name, normaliseCode(code))
  }
  const codes = z.record(z.string(), z.union([z.string(), z.array(z.string())]))
  for (const file of ['cldr', 'emojibase', 'github', 'iamcal', 'joypixels']) {
    const table = await readPackageJson(`emojibase-data/en/shortcodes/${file}.json`, codes)
    for (const [code, value] of Object.entries(table)) for (const name of [value].flat()) add(name, normaliseCode(code))
  }
  return names
}
