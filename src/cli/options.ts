import type { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { type Flag, flags } from './option-kinds.ts'
import { OPTIONS } from './option-table.ts'

const EVERY = { json: true, quiet: true, verbose: true, threads: true, device: true } as const
const PICTURES = { cache: true, skipBadImages: true } as const
const DATA = { root: true, imageColumn: true, labelColumn: true } as const

/** The settings of each command, as parts of the table. */
export const SETTINGS = {
  demo: OPTIONS.pick({
    quick: true,
    tasks: true,
    shotsList: true,
    seeds: true,
    reportFile: true,
    figure: true,
    model: true,
    ...EVERY,
  }),
  train: OPTIONS.pick({
    method: true,
    set: true,
    shots: true,
    seed: true,
    out: true,
    contextLength: true,
    position: true,
    classSpecific: true,
    init: true,
    epochs: true,
    lr: true,
    batchSize: true,
    warmup: true,
    warmupEpochs: true,
    views: true,
    transforms: true,
    resume: true,
    force: true,
    template: true,
    model: true,
    ...DATA,
    ...PICTURES,
    ...EVERY,
  }),
  evaluate: OPTIONS.pick({ transfer: true, runModel: true, runTransforms: true, ...DATA, ...PICTURES, ...EVERY }),
  'zero-shot': OPTIONS.pick({ template: true, model: true, transforms: true, ...DATA, ...PICTURES, ...EVERY }),
  classify: OPTIONS.pick({ top: true, runModel: true, runTransforms: true, ...PICTURES, ...EVERY }),
  words: OPTIONS.pick({ nearest: true, allTokens: true, runModel: true, ...EVERY }),
  datasets: OPTIONS.pick({ root: true, shots: true, seed: true, ...EVERY }),
  methods: OPTIONS.pick({ json: true, quiet: true, verbose: true }),
  models: OPTIONS.pick({ json: true, quiet: true, verbose: true }),
  import: OPTIONS.pick({
    importModel: true,
    importOut: true,
    importPosition: true,
    classes: true,
    data: true,
    ...DATA,
    transforms: true,
    force: true,
    json: true,
    quiet: true,
    verbose: true,
  }),
  sweep: OPTIONS.pick({ sweepOut: true, root: true, parallel: true, dryRun: true, ...PICTURES, ...EVERY }),
  report: OPTIONS.pick({
    reportOut: true,
    figures: true,
    published: true,
    tensorboard: true,
    skip: true,
    json: true,
    quiet: true,
    verbose: true,
  }),
  pretrain: OPTIONS.pick({
    pretrainOut: true,
    hours: true,
    steps: true,
    seed: true,
    resume: true,
    force: true,
    cache: true,
    ...EVERY,
  }),
} as const

export type CommandName = keyof typeof SETTINGS
export type Settings<C extends CommandName> = z.output<(typeof SETTINGS)[C]>

/** An option of one command: its name among the settings, its looks, its default as text. */
export interface CommandOption extends Flag {
  readonly key: string
  readonly defaultText: string | undefined
}

/** The options of a command in the order of the help. */
export function optionsOf(command: CommandName): CommandOption[] {
  return Object.entries(SETTINGS[command].shape).map(([key, schema]) => {
    const flag = flags.get(schema)
    if (!flag) throw new Error(`the option ${key} has no flag`)
    return { ...flag, key, defaultText: flag.otherwise ?? defaultText(schema) }
  })
}

function defaultText(schema: z.ZodType): string | undefined {
  const value = schema.safeParse(undefined).data
  if (value === undefined || value === false) return undefined
  return Array.isArray(value) ? value.map((item) => JSON.stringify(item)).join(' ') : String(value)
}

/** What was typed, by the settings' names: text, texts of a repeatable flag, or true for a switch. */
export type Typed = Readonly<Record<string, string | readonly string[] | true | undefined>>

/** Turns what was typed into settings; throws one UsageError that names every wrong value. */
export function readSettings<C extends CommandName>(command: C, typed: Typed): Settings<C>
export function readSettings(command: CommandName, typed: Typed): Settings<CommandName> {
  const result = SETTINGS[command].safeParse(typed)
  if (result.success) return result.data
  const options = optionsOf(command)
  const lines = result.error.issues.map(({ path, message }) => {
    const key = String(path[0])
    const flag = options.find((option) => option.key === key)?.flag ?? key
    const value = typed[key]
    const received = Array.isArray(value) && typeof path[1] === 'number' ? value[path[1]] : value
    return `${flag} expects ${message}, received ${JSON.stringify(received)}`
  })
  throw new UsageError([...new Set(lines)].join('\n'), `coop ${command} --help lists the flags`)
}
