import { chmod, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { randomFor } from '../../src/base/random.ts'
import type { Attempt, Fault } from './fault.ts'
import { missing } from './needs.ts'
import { makeWorld, type World } from './world.ts'

/** What became of the attempts of one fault. */
export interface Tally {
  tries: number
  kills: number
  lost: number
  seconds: number
}

export interface FaultsOptions {
  readonly faults: readonly Fault[]
  readonly seed: number
  /** Attempts of each fault at most. */
  readonly tries?: number
  /** Kills of one attempt at most; default 8. */
  readonly killsEach?: number
  /** No attempt begins after this time ... */
  readonly minutes?: number
  /** ... nor after so many kills. */
  readonly kills?: number
  /** Attempts at the same time. */
  readonly lanes: number
  readonly onAttempt?: (fault: Fault, number: number, attempt: Attempt, kept: string | undefined) => void
}

/** Tries faults round robin; those that the machine has no means for are left out, with what is missing. */
export async function tryFaults(options: FaultsOptions) {
  const { seed, tries = Number.POSITIVE_INFINITY, minutes = Number.POSITIVE_INFINITY, lanes, onAttempt } = options
  const leftOut = new Map(options.faults.map((fault) => [fault.name, missing(fault.needs ?? [])]))
  const faults = options.faults.filter(({ name }) => leftOut.get(name)?.length === 0)
  const tallies = new Map(
    faults.map(({ name }): [string, Tally] => [name, { tries: 0, kills: 0, lost: 0, seconds: 0 }]),
  )
  const world = await makeWorld()
  const started = performance.now()
  let [next, kills] = [0, 0]
  const isOver = () =>
    performance.now() - started > 60_000 * minutes ||
    kills >= (options.kills ?? Number.POSITIVE_INFINITY) ||
    next >= tries * faults.length

  const lane = async () => {
    while (!isOver()) {
      const [fault, number] = [faults[next % faults.length], Math.floor(next / faults.length)]
      next++
      if (fault === undefined) return
      const begun = performance.now()
      const { attempt, kept } = await attemptOf(fault, number, world, options, seed)
      kills += attempt.kills
      const tally = tallies.get(fault.name)
      if (tally) {
        tally.tries++
        tally.kills += attempt.kills
        tally.lost += attempt.lost.length > 0 ? 1 : 0
        tally.seconds += (performance.now() - begun) / 1000
      }
      onAttempt?.(fault, number, attempt, kept)
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, lane))
  } finally {
    await world.close()
  }
  return { tallies, leftOut }
}

/** One attempt; where something was lost, its folder is kept to be looked at. */
async function attemptOf(fault: Fault, number: number, world: World, options: FaultsOptions, seed: number) {
  await mkdir(world.scratch, { recursive: true })
  const folder = await mkdtemp(join(world.scratch, 'attempt-'))
  await chmod(folder, 0o755)
  const random = randomFor('fault', seed, fault.name, number)
  const attempt = await fault
    .attempt({ world, folder, kills: options.killsEach ?? 8 }, random)
    .catch((error: unknown): Attempt => {
      return {
        what: 'failed',
        kills: 0,
        lost: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
      }
    })
  const kept = attempt.lost.length > 0 ? join(tmpdir(), `coop-lost-${basename(folder)}`) : undefined
  if (kept !== undefined) await cp(folder, kept, { recursive: true, verbatimSymlinks: true })
  await rm(folder, { recursive: true, force: true })
  return { attempt, kept }
}
