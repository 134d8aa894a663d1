import { METHODS, settingNames } from '../../methods/index.ts'
import { defineCommand } from '../command.ts'
import { EVERY } from '../shared-options.ts'

/** A method as `--json` has it. */
interface ListedMethod {
  readonly name: string
  readonly summary: string
  readonly source: string
  /** Without a default: decided by the number of shots, or by the data set. */
  readonly settings: readonly { readonly name: string; readonly default?: unknown }[]
  /** Whether a run with these settings can be used with other class names (coop-ts evaluate --transfer). */
  readonly transfers: boolean
  /** By default: whether it chooses by validation images, if there are any. */
  readonly validates: boolean
}

export const methods = defineCommand({
  name: 'methods',
  summary: 'the learning methods that coop-ts train --method and the plans of coop-ts sweep accept',
  details: 'Lists each method with its settings (coop-ts train --set KEY=VALUE), their defaults, and its source.',
  operands: [],
  examples: [
    'coop-ts methods',
    'coop-ts methods --json',
    'coop-ts train photos --method tip-adapter-f --set epochs=50',
  ],
  options: EVERY,
  async run() {
    const listed = METHODS.map(({ name, summary, source, settings, transfers, validates }): ListedMethod => {
      const defaults = new Map(Object.entries(Object(settings.parse({}))))
      const listed = settingNames({ settings }).map((name) => ({ name, default: defaults.get(name) }))
      const own = settings.parse({})
      return {
        name,
        summary,
        source,
        settings: listed,
        transfers: transfers(own),
        validates: validates?.(own) ?? false,
      }
    })
    return { json: { methods: listed }, text: listed.map(methodText).join('\n\n') }
  },
})

function methodText({ name, summary, source, settings }: ListedMethod): string {
  const rows = settings.map((setting) => {
    const { name, default: value } = setting
    return `  --set ${name}${value === undefined ? '' : `=${JSON.stringify(value)}`}`
  })
  return [`${name}: ${summary}`, ...rows, `  ${source}`].join('\n')
}

/** The methods in lines of a terminal's width, for help. */
export const methodsText = METHODS.map(({ name, summary }) => {
  const lines = summary.match(/.{1,60}(?!\S)/g) ?? []
  return lines.map((line, i) => `  ${(i === 0 ? name : '').padEnd(16)}${line.trim()}`).join('\n')
}).join('\n')
