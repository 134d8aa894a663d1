import { z } from 'zod'
import { readYaml } from '../../node/yaml.ts'

/** What the README of a data set on the Hugging Face hub says between its `---` lines, as far as it is needed here. */
export interface DatasetCard {
  readonly configs: readonly CardConfig[]
  /** Label names by configuration, then by column; the configuration of a card with only one is ''. */
  readonly labelNames: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
}

export interface CardConfig {
  readonly name: string
  readonly isDefault: boolean
  readonly files: readonly { readonly split: string; readonly patterns: readonly string[] }[]
}

/** One or several, always a list. */
const several = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item)]).transform((value) => (Array.isArray(value) ? value : [value]))

const configSchema = z.object({
  config_name: z.string(),
  default: z.boolean().optional(),
  data_files: several(z.union([z.string(), z.object({ split: z.string(), path: several(z.string()) })])).default([]),
})

const namesSchema = z.union([z.array(z.string()), z.record(z.string().regex(/^\d+$/), z.coerce.string())])

const infoSchema = z.object({
  config_name: z.string().default(''),
  features: z.array(z.object({ name: z.string(), dtype: z.unknown() })).default([]),
})

const classLabelSchema = z.object({ class_label: z.object({ names: namesSchema }) })

const cardSchema = z.object({
  configs: z.array(configSchema).catch([]).default([]),
  dataset_info: several(infoSchema).catch([]).default([]),
})

const EMPTY: DatasetCard = { configs: [], labelNames: new Map() }

/** The card in a README; an empty one where it has none, or none that can be read. */
export function readCard(readme: string): DatasetCard {
  const front = /^\uFEFF?---\r?\n(.*?)\r?\n---/s.exec(readme)?.[1]
  if (front === undefined) return EMPTY
  const card = cardSchema.safeParse(readYaml(front).value)
  if (!card.success) return EMPTY
  const configs = card.data.configs.map(({ config_name: name, default: isDefault = false, data_files: files }) => ({
    name,
    isDefault,
    files: files.map((file) =>
      typeof file === 'string' ? { split: 'train', patterns: [file] } : { split: file.split, patterns: file.path },
    ),
  }))
  const labelNames = card.data.dataset_info.map(
    ({ config_name, features }) => [config_name, labelsOf(features)] as const,
  )
  return { configs, labelNames: new Map(labelNames) }
}

function labelsOf(features: readonly { name: string; dtype: unknown }[]): Map<string, readonly string[]> {
  const found = features.map(({ name, dtype }) => ({ name, label: classLabelSchema.safeParse(dtype) }))
  return new Map(
    found.flatMap(({ name, label }) => (label.success ? [[name, inOrder(label.data.class_label.names)]] : [])),
  )
}

/** Names as a list, or by their number. */
function inOrder(names: readonly string[] | Readonly<Record<string, string>>): readonly string[] {
  if (Array.isArray(names)) return names
  return Object.entries(names)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, name]) => name)
}
