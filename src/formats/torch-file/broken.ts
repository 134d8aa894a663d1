import { FileError } from '../../base/errors.ts'

/** A FileError about a file that is not what torch writes. */
export function broken(
  file: string,
  what: string,
  remedy = 'download or write the file again',
  cause?: unknown,
): FileError {
  return new FileError(`${file} is not a valid torch file: ${what}`, remedy, { cause })
}
