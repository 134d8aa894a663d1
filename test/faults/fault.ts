import type { Random } from '../../src/base/random.ts'
import type { Need } from './needs.ts'
import type { World } from './world.ts'

/** Something that goes wrong while commands work. */
export interface Fault {
  readonly name: string
  /** What is done, in a line. */
  readonly about: string
  /** What it needs of the machine; where that is missing it is left out. */
  readonly needs?: readonly Need[]
  /** Tries it once, in a folder of its own. */
  attempt(at: Place, random: Random): Promise<Attempt>
}

/** Where an attempt works. */
export interface Place {
  readonly world: World
  /** Empty, and removed afterwards unless something was lost. */
  readonly folder: string
  /** Kills of one attempt at most. */
  readonly kills: number
}

/** What was tried, and what came of it. */
export interface Attempt {
  readonly what: string
  /** Processes that were killed at work. */
  readonly kills: number
  /** What was lost, hung or differs, a line each. */
  readonly lost: readonly string[]
}

export const pick = <T>(random: Random, from: readonly T[]): T => {
  const picked = from[random.int(from.length)]
  if (picked === undefined) throw new RangeError('nothing to pick from')
  return picked
}
