import type { z } from 'zod'
import type { AskingHooks } from '../base/progress.ts'
import { type CommandOption, optionsOf, readSettings, type Settings, type Typed } from './options.ts'

/** A word after the command: `<dir>`, or `<image...>` for one or more. */
export interface Operand {
  readonly name: string
  readonly help: string
  readonly variadic?: boolean
  /** May be left out: `[name]`. */
  readonly optional?: boolean
  /** What completion offers in place of files. */
  readonly values?: readonly string[]
  /** With these words: files as well. */
  readonly files?: boolean
}

/** What a command leaves: the object of `--json`, or the text that a person reads. */
export interface Outcome {
  readonly json: unknown
  readonly text: string
  /** Not all of it went well, which was said on the way: exit status 1. */
  readonly failed?: boolean
  /** There is more to do, which another start does: exit status 75. */
  readonly unfinished?: boolean
  /** What goes on after this was printed, until the command ends; says at the end whether it failed. */
  readonly until?: Promise<{ readonly failed: boolean }>
}

/** What a command is called, and what its help says. */
interface CommandText {
  readonly name: string
  readonly summary: string
  /** What the help says below the summary. */
  readonly details?: string
  readonly operands: readonly Operand[]
  readonly examples: readonly string[]
  /** It hears the signals that end a process by itself. */
  readonly hearsSignals?: boolean
}

interface CommandDefinition<Options extends z.ZodRawShape> extends CommandText {
  /** Schemas registered with their flags, in the order of the help. */
  readonly options: Options
  /**
   * @param given flags that were typed, by the names of their settings
   * @param words all that was typed, for what is kept with results
   */
  run(
    settings: Settings<Options>,
    operands: readonly string[],
    hooks: AskingHooks,
    given: ReadonlyMap<string, string>,
    words: readonly string[],
  ): Promise<Outcome>
}

/** A command as the frame sees it: what was typed goes in, an outcome comes out. */
export interface Command extends CommandText {
  readonly options: readonly CommandOption[]
  /** Checks what was typed before anything runs; throws UsageError. */
  execute(typed: Typed, operands: readonly string[], hooks: AskingHooks, words?: readonly string[]): Promise<Outcome>
}

/** Ties a command to the type of its settings, so that a list can hold it. */
export function defineCommand<Options extends z.ZodRawShape>({
  options,
  run,
  ...text
}: CommandDefinition<Options>): Command {
  const shown = optionsOf(options)
  return {
    ...text,
    options: shown,
    async execute(typed, operands, hooks, words = []) {
      const given = shown.filter(({ key }) => typed[key] !== undefined)
      const settings = readSettings(text.name, options, typed)
      return run(settings, operands, hooks, new Map(given.map(({ key, flag }) => [key, flag])), words)
    },
  }
}
