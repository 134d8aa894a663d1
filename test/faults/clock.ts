import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Random } from '../../src/base/random.ts'
import { stepsTaken } from '../../src/testing/kills.ts'
import { type Attempt, type Fault, type Place, pick } from './fault.ts'
import { endOf, lastWords, type Way } from './process.ts'
import { differences, resultOf } from './result.ts'
import * as works from './works.ts'

const JUMPING: Way = { node: ['--import', fileURLToPath(new URL('preload/clock.js', import.meta.url))] }

const WORKS: readonly works.Work[] = [
  ...works.TRAINS,
  works.SWEEP,
  works.DOWNLOAD,
  ...works.FEATURES,
  works.IMPORT,
  ...works.EXPORTS,
  works.INSPECT,
]

/** How long a work may take longer than undisturbed before somebody is said to have waited for nothing. */
export const PATIENCE_MS = 40_000

/** A work while the clock jumps: the same result, in about the same time. */
async function jump({ world, folder }: Place, random: Random): Promise<Attempt> {
  const work = pick(random, WORKS)
  const reference = await works.referenceOf(work, world)
  const folders = works.foldersIn(folder, world)
  await works.prepared(work, world, folders)
  const running = await works.begin(work, world, folders, JUMPING)
  const isKilled = work.program === undefined && work.run === undefined && random.int(2) === 0
  const lost: string[] = []
  if (isKilled) {
    await Promise.race([running.ended, sleep(reference.ms * random.next())])
    running.child.kill('SIGKILL')
    await running.ended
    const end = await endOf(await works.begin(work, world, folders, JUMPING), 3 * reference.ms + PATIENCE_MS)
    if (end.status !== 0) lost.push(lastWords(end))
  } else {
    const end = await endOf(running, 3 * reference.ms + PATIENCE_MS)
    if (end.status !== 0) lost.push(lastWords(end))
  }
  if (lost.length === 0) lost.push(...differences(await resultOf(folders.out), reference.result))
  return { what: `${work.name}${isKilled ? ', killed and begun again' : ''}`, kills: isKilled ? 1 : 0, lost }
}

/** Two processes in one folder, of which one or both have a clock that jumps: the second is refused, the first ends well. */
export async function two(first: Way, second: Way, { world, folder }: Place): Promise<string[]> {
  const reference = await works.referenceOf(works.LONG, world)
  const folders = works.foldersIn(folder, world)
  const running = await works.begin(works.LONG, world, folders, first)
  while (running.child.exitCode === null && (await stepsTaken(folders.out)) < 20) await sleep(20)
  const other = await endOf(await works.begin(works.LONG, world, folders, second), PATIENCE_MS)
  const isStillAtWork = running.child.exitCode === null
  const end = await endOf(running)
  const lost: string[] = []
  if (isStillAtWork && !(other.status === 1 && /another process is working in/.test(other.stderr)))
    lost.push(`the second: ${lastWords(other)}`)
  if (end.status !== 0) lost.push(`the first: ${lastWords(end)}`)
  else lost.push(...differences(await resultOf(folders.out), reference.result))
  return lost
}

export const clockFaults: readonly Fault[] = [
  { name: 'clock', about: 'a command whose clock jumps hours back and forth', attempt: jump },
  {
    name: 'clock of two',
    about: 'two processes with one run, one or both with a clock that jumps: one learns, the other is refused',
    async attempt(at, random) {
      const [first, second] = pick(random, [
        [JUMPING, {}],
        [{}, JUMPING],
        [JUMPING, JUMPING],
        [{}, {}],
      ] as const)
      const word = (way: Way) => (way === JUMPING ? 'jumping' : 'right')
      return { what: `clocks ${word(first)} and ${word(second)}`, kills: 0, lost: await two(first, second, at) }
    },
  },
]
