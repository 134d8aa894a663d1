import { z } from 'zod'
import type { Hooks } from '../../base/progress.ts'

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

const cardSchema = z.record(z.string(), z.unknown())
const configsSchema = z.array(configSchema).default([])
const infosSchema = several(infoSchema).default([])

export const NO_CARD: DatasetCard = { configs: [], labelNames: new Map() }

/** The card in a README; an empty one where it has none. What cannot be read of it is left out, which the hooks are told. */
export async function readCard(readme: string, where = 'README.md', { onWarning }: Hooks = {}): Promise<DatasetCard> {
  const front = /^\uFEFF?---\r?\n(.*?)\r?\n---/s.exec(readme)?.[1]
  if (front === undefined) return NO_CARD
  const unread = (what: string, why: string) => {
    onWarning?.(`${where}: ${what} cannot be read and is left out: ${why}`)
    return []
  }
  const { readYaml } = await import('../../node/yaml.ts')
  const { faults, lines, value } = readYaml(front)
  const [fault] = faults
  if (fault) unread('the data set card', `line ${lines.linePos(fault.offset).line + 1}: ${fault.message}`)
  const card = cardSchema.safeParse(value ?? {})
  if (!card.success) unread('the data set card', 'it is not a list of keys and values')
  const { configs: writtenConfigs, dataset_info: writtenInfos } = card.data ?? {}
  const part = <T>(schema: z.ZodType<T[]>, written: unknown, key: string) => {
    const read = schema.safeParse(written)
    return read.data ?? unread(`"${key}" of the data set card`, issueText(read.error))
  }
  const configs = part(configsSchema, writtenConfigs, 'configs').map(
    ({ config_name: name, default: isDefault = false, data_files: files }) => ({
      name,
      isDefault,
      files: files.map((file) =>
        typeof file === 'string' ? { split: 'train', patterns: [file] } : { split: file.split, patterns: file.path },
      ),
    }),
  )
  const labelNames = part(infosSchema, writtenInfos, 'dataset_info').map(
    ({ config_name, features }) => [config_name, labelsOf(features)] as const,
  )
  return { configs, labelNames: new Map(labelNames) }
}

/** The first of what does not fit. */
function issueText({ issues: [issue] }: z.ZodError): string {
  const place = issue?.path.map(String).join('.')
  return `${place ? `${place}: ` : ''}${issue?.message}`
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
