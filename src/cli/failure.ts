import { CommanderError } from 'commander'
import { CoopError, UsageError } from '../base/errors.ts'

/** `unfinished`: there is more to do, which the same command does when it is started again. */
export const EXIT = { ok: 0, failure: 1, usage: 2, unfinished: 75 } as const

/** Signals that ask a process to end, and what it then ends with, as in a shell. */
export const STOPS = { SIGINT: 130, SIGTERM: 143 } as const
export type Stop = keyof typeof STOPS

/** Ctrl-C, or what ends processes kindly. */
export class Interrupted extends CoopError {
  readonly exitCode: number
  constructor(signal: Stop = 'SIGINT') {
    super(
      signal === 'SIGINT' ? 'interrupted' : `interrupted (${signal})`,
      'no file is left half-written; continue coop-ts train with --resume; a sweep or a download continues when you start it again (a second Ctrl-C ends it at once)',
    )
    this.exitCode = STOPS[signal]
  }
}

export interface Failure {
  readonly message: string
  readonly remedy: string | undefined
  readonly exitCode: number
}

/** What the user sees of any error that reaches the command line, and the exit status. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '').replace(/\s*\(Did you mean (.*)\?\)/s, ' (did you mean $1?)')
    return {
      message,
      remedy: 'coop-ts --help lists the commands, coop-ts COMMAND --help its flags',
      exitCode: EXIT.usage,
    }
  }
  if (error instanceof CoopError) {
    return { message: error.message, remedy: error.remedy, exitCode: exitCodeOf(error) }
  }
  const message = error instanceof Error ? error.message : String(error)
  // an installation without its binaries: sharp's own message says what to do
  if (message.startsWith('Could not load the "sharp" module'))
    return { message, remedy: undefined, exitCode: EXIT.failure }
  if (isSystemError(error))
    return { message, remedy: 'check the path, its permissions and the free space', exitCode: EXIT.failure }
  return {
    message,
    remedy: 'this is a bug in coop-ts: run it again with --verbose and report what it prints',
    exitCode: EXIT.failure,
  }
}

function exitCodeOf(error: CoopError): number {
  if (error instanceof Interrupted) return error.exitCode
  return error instanceof UsageError ? EXIT.usage : EXIT.failure
}

/** A refusal of the operating system, such as `ENOSPC: no space left on device, write`. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

export function failureText(error: unknown, verbose: boolean): string {
  const { message, remedy } = describeFailure(error)
  const lines = [`coop-ts: ${message.split('\n').join('\n         ')}`]
  if (remedy) lines.push(`         ${remedy}`)
  if (verbose && error instanceof Error) lines.push('', stackWithCauses(error))
  return lines.join('\n')
}

function stackWithCauses(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error ? `${own}\ncaused by ${stackWithCauses(error.cause)}` : own
}
