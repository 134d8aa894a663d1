import { CoopError, FileError } from '../base/errors.ts'
import { visible } from '../base/visible.ts'
import { TooManyPixels } from '../pictures/picture-fault.ts'

/** Statuses of requests that are not answered as they were meant. */
export type RefusedStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 422 | 429 | 431 | 500 | 503

/** A request that is not answered as it was meant: its status, and what the client is told. Names no file of the server. */
export class Refusal extends CoopError {
  readonly status: RefusedStatus
  readonly headers: Readonly<Record<string, string>>
  constructor(
    status: RefusedStatus,
    message: string,
    remedy?: string,
    headers: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, remedy, options)
    this.status = status
    this.headers = headers
  }

  /** The body of the answer. */
  get answer() {
    const { message, remedy } = this
    return { error: { message, remedy } }
  }
}

/** A refusal that may be over in a moment. */
export const comeBack = (status: 429 | 503, message: string): Refusal =>
  new Refusal(status, message, 'send it again in a moment', { 'Retry-After': '1' })

/** What is told of a picture that cannot be read; other errors stay what they are. */
export function ofPicture(cause: unknown): unknown {
  if (!(cause instanceof FileError)) return cause
  const { message, remedy } = cause
  if (!(cause.cause instanceof TooManyPixels)) return new Refusal(422, message, remedy, {}, { cause })
  return new Refusal(413, message, 'make it smaller, or start the server with a larger --max-pixels', {}, { cause })
}

/** What the client gave, as it may stand in a message. */
export const quoted = (word: string): string => `"${visible(word.length > 80 ? `${word.slice(0, 77)}...` : word)}"`
