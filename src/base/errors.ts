/**
 * A failure that the user can fix. `message` says what is wrong and where,
 * `remedy` what to do about it; the command line prints both without a stack.
 */
export class CoopError extends Error {
  readonly remedy: string | undefined
  constructor(message: string, remedy?: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.remedy = remedy
  }
}

/** Wrong words on the command line or a wrong setting: exit status 2. */
export class UsageError extends CoopError {}

/** A file that cannot be used: missing, damaged, or not what it says. */
export class FileError extends CoopError {}

/** Tensors whose shapes do not fit an operator or a model. */
export class ShapeError extends CoopError {}

/** Training produced a number that is not one (NaN or infinite loss). */
export class DivergedError extends CoopError {}
