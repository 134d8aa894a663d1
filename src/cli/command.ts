import type { Hooks } from '../base/progress.ts'
import { type CommandName, type CommandOption, optionsOf, readSettings, type Settings, type Typed } from './options.ts'

/** A word after the command: `<dir>`, or `<image...>` for one or more. */
export interface Operand {
  readonly name: string
  readonly help: string
  readonly variadic?: boolean
  /** May be left out: `[name]`. */
  readonly optional?: boolean
}

/** Help of every `<data>`. */
export const DATA =
  'folder of images (a folder for each class, or train/, val/ and test/ with such folders), list (.csv, .tsv, .jsonl), ' +
  ".parquet file or folder of them, hf:owner/name of the Hugging Face hub, or one of the paper's data sets (caltech101...)"

/** Help of every `<run>`. */
export const RUN = 'folder of a run: of coop train, of coop import, or one of a sweep (OUT/runs/ID)'

/** What a command leaves: the object of `--json`, or the text that a person reads. */
export interface Outcome {
  readonly json: unknown
  readonly text: string
  /** Not all of it went well, which was said on the way: exit status 1. */
  readonly failed?: boolean
}

interface CommandDefinition<C extends CommandName> {
  readonly name: C
  readonly summary: string
  /** What the help says below the summary. */
  readonly details?: string
  readonly operands: readonly Operand[]
  readonly examples: readonly string[]
  /** @param given names of the settings that were typed, and are not there by default */
  run(settings: Settings<C>, operands: readonly string[], hooks: Hooks, given: ReadonlySet<string>): Promise<Outcome>
}

/** A command as the frame sees it: what was typed goes in, an outcome comes out. */
export interface Command {
  readonly name: CommandName
  readonly summary: string
  readonly details: string | undefined
  readonly operands: readonly Operand[]
  readonly examples: readonly string[]
  readonly options: readonly CommandOption[]
  execute(typed: Typed, operands: readonly string[], hooks: Hooks): Promise<Outcome>
}

/** Ties a command to its row of settings; the typed text is checked before `run` starts. */
export function defineCommand<C extends CommandName>(definition: CommandDefinition<C>): Command {
  const { name, summary, details, operands, examples } = definition
  return {
    name,
    summary,
    details,
    operands,
    examples,
    options: optionsOf(name),
    execute: async (typed, words, hooks) => {
      const given = Object.keys(typed).filter((key) => typed[key] !== undefined)
      return definition.run(readSettings(name, typed), words, hooks, new Set(given))
    },
  }
}
