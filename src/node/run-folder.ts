import { join } from 'node:path'
import { FileError, UsageError } from '../base/errors.ts'
import { isObject, parseJson } from '../formats/json.ts'
import { ifThere, readText, statIfThere } from './files.ts'

/** What to do where a run is already. */
export interface Rerun {
  /** Go on with it. */
  readonly resume?: boolean
  /** Write over it. */
  readonly force?: boolean
}

/** Throws UsageError when a run is in `folder` (its file `mark` is there) and nobody said what to do with it. */
export async function refuseExistingRun(folder: string, mark: string, { resume, force }: Rerun): Promise<void> {
  if (resume || force || !(await exists(join(folder, mark)))) return
  throw new UsageError(
    `there is already a run in ${folder}`,
    'continue it (--resume), overwrite it (--force), or choose another folder (--out)',
  )
}

/** Throws UsageError, a line for each setting in `now` that a run in `folder` was begun without. */
export function checkSameSettings(
  folder: string,
  then: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): void {
  const differences = differencesOf(then, now)
  if (differences.length === 0) return
  throw new UsageError(
    `the run in ${folder} was started with other settings:\n${differences.map((line) => `  ${line}`).join('\n')}`,
    'resume with the same settings, model and images, or start again in another folder (--out)',
  )
}

function differencesOf(then: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(now).flatMap(([key, value]) => {
    const before = then[key]
    if (isObject(value)) return differencesOf(isObject(before) ? before : {}, value)
    const [a, b] = [before, value].map((side) => JSON.stringify(side))
    return a === b ? [] : [`${key}: ${short(a)} then, ${short(b)} now`]
  })
}

const short = (text = 'nothing') => (text.length > 40 ? `${text.slice(0, 37)}...` : text)

/** A JSON object in a file. Throws FileError when it is missing, damaged or something else. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const remedy = 'restore the file, or start the run again'
  const text = await readText(path)
  let value: unknown
  try {
    value = parseJson(text, path)
  } catch (cause) {
    throw cause instanceof FileError ? new FileError(cause.message, remedy, { cause }) : cause
  }
  if (!isObject(value)) throw new FileError(`${path} is not a JSON object`, remedy)
  return value
}

/** The JSON object in a file; undefined where there is none. Throws FileError where the file cannot be read. */
export async function jsonObjectIfAny(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await ifThere(path, readText(path))
  try {
    const value: unknown = text === undefined ? undefined : parseJson(text, path)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether something is at a path. Throws FileError where that cannot be seen, as without permission. */
export async function exists(path: string): Promise<boolean> {
  return (await statIfThere(path)) !== undefined
}
