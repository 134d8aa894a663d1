// A process that reads case after case and says how each ended; it is killed when one takes too long.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CoopError } from '../../src/base/errors.ts'
import { type Case, inputOf, readerOf } from './cases.ts'
import { entryOf, wrongAnswer } from './corpus.ts'
import type { Prepared, Reader } from './reader.ts'
import type { Ended, Order } from './run.ts'

/** Words of errors that are nobody's message to a user, inside one of ours. */
const INSIDES =
  /Maximum call stack|Invalid (array|typed array|string|Set) |Cannot read propert|is not a function|is not iterable|is not defined|Cannot (convert|mix|destructure)|out of memory|Offset is outside|Assertion/
/**
 * A case that makes the process so many bytes larger is a finding, even where they are given back. The largest picture that
 * is read has 540 MB of pixels.
 */
const MOST_GROWTH = 2 ** 30

const seed = Number(process.argv[2])
// where there are files in memory, they are written a hundred times for each one of a disk
const MEMORY = '/dev/shm'
const scratch = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'coop-fuzz-'))
const prepared = new Map<Reader, Promise<Prepared>>()

let strays: unknown[] = []
process.on('unhandledRejection', (error) => strays.push(error))
process.on('uncaughtException', (error) => strays.push(error))

// requests go to the fuzzed hub alone, wherever a damaged answer leads
const { fetch } = globalThis
globalThis.fetch = (input, init) =>
  new URL(input instanceof Request ? input.url : input).hostname === '127.0.0.1'
    ? fetch(input, init)
    : Promise.reject(new TypeError('fetch failed'))

const peak = () => process.resourceUsage().maxRSS * 1024
const textOf = (error: unknown) =>
  (error instanceof Error ? (error.stack ?? error.message) : String(error)).slice(0, 2000)

function prepare(reader: Reader): Promise<Prepared> {
  let made = prepared.get(reader)
  if (made === undefined) {
    const folder = join(scratch, String(prepared.size))
    mkdirSync(folder, { recursive: true })
    made = Promise.resolve(reader.prepare(folder))
    prepared.set(reader, made)
  }
  return made
}

async function oneCase(which: Case): Promise<Ended> {
  const reader = readerOf(which)
  const made = await prepare(reader)
  const input = await inputOf(reader, made, seed, which)
  const [before, started] = [peak(), performance.now()]
  let outcome: Ended['outcome'] = 'accepted'
  let error: string | undefined
  let message: string | undefined
  try {
    await made.read(input)
  } catch (thrown) {
    const isOurs = thrown instanceof CoopError && !INSIDES.test(thrown.message)
    outcome = isOurs ? 'refused' : 'finding'
    if (isOurs) message = thrown.message
    else error = textOf(thrown)
  }
  if (typeof which === 'string' && outcome !== 'finding') {
    error = wrongAnswer(entryOf(which), message)
    if (error !== undefined) outcome = 'finding'
  }
  const ms = performance.now() - started
  await new Promise((resolve) => setImmediate(resolve))
  if (strays.length > 0) [outcome, error, strays] = ['finding', `nobody caught ${textOf(strays[0])}`, []]
  const growth = peak() - before
  if (growth > MOST_GROWTH) [outcome, error] = ['finding', `the process grew by ${Math.round(growth / 2 ** 20)} MB`]
  return { case: which, outcome, error, ms, memory: process.memoryUsage.rss() }
}

process.on('message', async ({ cases }: Order) => {
  for (const each of cases) process.send?.(await oneCase(each))
})
process.on('disconnect', async () => {
  for (const each of prepared.values()) await (await each).close?.()
  rmSync(scratch, { recursive: true, force: true })
  process.exit()
})
