import { z } from 'zod'
import { normaliseCode, readPackageJson } from './emoji.ts'

/** A drawing of an icon set, as text of an SVG file. */
export interface Icon {
  readonly name: string
  readonly svg: string
  /** Categories that the set itself names, possibly none. */
  readonly categories: readonly string[]
}

export interface IconSet {
  readonly icons: ReadonlyMap<string, Icon>
  /** Icon name of an alias or of an icon. */
  readonly nameOf: (alias: string) => string | undefined
  /** Emoji code to icon name, empty where the set has none. */
  readonly codes: ReadonlyMap<string, string>
  /** True where the icons have their own colours. */
  readonly palette: boolean
}

const sizes = {
  left: z.number().optional(),
  top: z.number().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
}
const setShape = z.object({
  ...sizes,
  icons: z.record(z.string(), z.object({ body: z.string(), hidden: z.boolean().optional(), ...sizes })),
  aliases: z
    .record(
      z.string(),
      z.object({
        parent: z.string(),
        hFlip: z.boolean().optional(),
        vFlip: z.boolean().optional(),
        rotate: z.number().optional(),
      }),
    )
    .optional(),
})
const infoShape = z.object({ palette: z.boolean() })
const metaShape = z.object({ categories: z.record(z.string(), z.array(z.string())).optional() })
const charsShape = z.record(z.string(), z.string())

/** Reads an installed `@iconify-json/<set>` package. */
export async function loadIconSet(set: string): Promise<IconSet> {
  const [data, info, meta, chars] = await Promise.all([
    readPackageJson(`@iconify-json/${set}/icons.json`, setShape),
    readPackageJson(`@iconify-json/${set}/info.json`, infoShape),
    readPackageJson(`@iconify-json/${set}/metadata.json`, metaShape),
    readPackageJson(`@iconify-json/${set}/chars.json`, charsShape),
  ])
  const categories = new Map<string, string[]>()
  for (const [category, names] of Object.entries(meta.categories ?? {}))
    for (const name of names) categories.set(name, [...(categories.get(name) ?? []), category])

  const icons = new Map<string, Icon>()
  for (const [name, icon] of Object.entries(data.icons)) {
    if (icon.hidden) continue
    const box = [
      icon.left ?? data.left ?? 0,
      icon.top ?? data.top ?? 0,
      icon.width ?? data.width ?? 16,
      icon.height ?? data.height ?? 16,
    ]
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${box.join(' ')}">${icon.body}</svg>`
    icons.set(name, { name, svg, categories: categories.get(name) ?? [] })
  }

  const nameOf = (alias: string) => {
    let name = alias
    for (let depth = 0; depth < 5 && !icons.has(name); depth++) {
      const entry = data.aliases?.[name]
      // An alias that turns its parent is another drawing, not another name.
      if (entry === undefined || entry.hFlip || entry.vFlip || entry.rotate) return undefined
      name = entry.parent
    }
    return icons.has(name) ? name : undefined
  }

  const codes = new Map<string, string>()
  for (const [code, alias] of Object.entries(chars)) {
    const name = nameOf(alias)
    if (name !== undefined) codes.set(normaliseCode(code), name)
  }
  return { icons, nameOf, codes, palette: info.palette }
}
