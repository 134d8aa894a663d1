import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** Files below a folder, with their content as far as it must be the same each time. */
export type Result = ReadonlyMap<string, string>

/** What may differ between two runs of the same: where it ran, when, and how long it took. */
const PASSING = new Set(['environment', 'seconds', 'date'])

/** What the processes of a sweep tell each other. */
const isTalk = (path: string) => path.startsWith(`queue${sep}`)

export async function resultOf(folder: string): Promise<Result> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const contents = files
    .filter((file) => !isTalk(relative(folder, file)))
    .map(async (file): Promise<[string, string]> => {
      return [relative(folder, file), comparable(file, await readFile(file))]
    })
  return new Map((await Promise.all(contents)).sort())
}

/** A content as it must be the same each time: without what passes; its hash where it is not text. */
function comparable(file: string, content: Buffer): string {
  if (file.endsWith('.safetensors')) return tensorsText(content)
  if (!/\.(jsonl?|csv|md|html|yaml)$/.test(file)) return hashOf(content)
  const text = content.toString('utf8')
  try {
    if (file.endsWith('.json')) return withoutPassing(text)
    if (file.endsWith('.jsonl'))
      return text
        .split('\n')
        .map((line) => line && withoutPassing(line))
        .join('\n')
  } catch {
    return `damaged: ${text}`
  }
  return text
}

/** Tensors with their metadata, but for how long they took, with a hash of that. */
function tensorsText(content: Buffer): string {
  const length = content.length < 8 ? 0 : Number(content.readBigUInt64LE(0))
  const header = content.toString('utf8', 8, 8 + length).replace(/"(seconds|sha256)":"[^"]*",?| +$/g, '')
  return `${header}\n${hashOf(content.subarray(8 + length))}`
}

const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

const withoutPassing = (text: string) =>
  JSON.stringify(JSON.parse(text), (key, value: unknown) => (PASSING.has(key) ? undefined : value))

/** What a result has that it should not have, and the other way round, a line each. */
export function differences(result: Result, wanted: Result): string[] {
  const names = [...new Set([...wanted.keys(), ...result.keys()])].sort()
  return names.flatMap((name) => {
    const [is, was] = [result.get(name), wanted.get(name)]
    if (is === was) return []
    if (is === undefined) return [`${name} is missing`]
    if (was === undefined) return [`${name} is left over`]
    return [`${name} differs: ${firstDifference(is, was)}`]
  })
}

/**
 * What is wrong with a result that is not finished: files under their finished names that are not whole, and files that
 * only a process at work has. Metrics and folds may end anywhere: they grow, and are no result.
 */
export function unfinishedFaults(result: Result, wanted: Result): string[] {
  return [...result].flatMap(([name, is]) => {
    const was = wanted.get(name)
    if (/\.tmp$|claim\.json$/.test(name)) return [`${name} was left`]
    if (was === undefined || is === was || /(metrics\.jsonl|out-of-fold\.safetensors)$/.test(name)) return []
    return [`${name} is there, but ${firstDifference(is, was)}`]
  })
}

function firstDifference(is: string, was: string): string {
  let at = 0
  while (at < is.length && is[at] === was[at]) at++
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 30), at + 50))
  return `${around(is)} instead of ${around(was)}`
}
