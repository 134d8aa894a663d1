import { CommanderError } from 'commander'
import { CoopError, UsageError } from '../base/errors.ts'

export const EXIT = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const

/** Ctrl-C. */
export class Interrupted extends CoopError {
  constructor() {
    super(
      'interrupted',
      'no file is left half-written; continue coop-ts train with --resume; a sweep or a download continues when you start it again (a second Ctrl-C ends it at once)',
    )
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
  if (error instanceof Interrupted) return EXIT.interrupted
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
