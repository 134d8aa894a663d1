import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../src/base/random.ts'
import type { Ended } from '../../src/testing/coop.ts'
import { type Attempt, type Fault, type Place, pick } from './fault.ts'
import { endOf, lastWords } from './process.ts'
import { differences, resultOf } from './result.ts'
import {
  ADD,
  begin,
  DOWNLOAD,
  EVALUATES,
  EXPORTS,
  FEATURES,
  type Folders,
  foldersIn,
  IMPORT,
  INSPECT,
  PRETRAIN,
  prepared,
  REPORT,
  type Reference,
  referenceOf,
  SAMPLES,
  SWEEP,
  strike,
  TRAINS,
  type Work,
} from './works.ts'

/** When a process is killed: after some time, or at one of the changes that it makes to files. */
type Moment = { readonly after: number } | { readonly change: number; readonly how: 'before' | 'half' | 'after' }

function momentIn({ ms, changes }: Reference, work: Work, random: Random): Moment {
  const how = pick(random, ['before', 'half', 'after'] as const)
  if (work.program === undefined && random.int(2) === 0) return { change: 1 + random.int(changes), how }
  // what comes before is the start of Node
  return { after: ms * (0.2 + 0.8 * random.next()) }
}

const momentText = (moment: Moment) =>
  'after' in moment ? `${(moment.after / 1000).toFixed(2)} s` : `${moment.how} change ${moment.change}`

/** Kills a work again and again, goes on with it each time, lets it end, and compares. */
async function killAndGoOn(work: Work, { world, folder, kills: most }: Place, random: Random): Promise<Attempt> {
  const reference = await referenceOf(work, world)
  const own = foldersIn(folder, world)
  // extraction is what fills the cache
  const folders: Folders = work.name.startsWith('features') ? { ...own, cache: `${folder}/cache` } : own
  await prepared(work, world, folders)
  const moments = Array.from({ length: 1 + random.int(most) }, () => momentIn(reference, work, random))
  const what = `${work.name}: killed at ${moments.map(momentText).join(', ')}`
  let kills = 0
  for (const moment of moments) {
    const way = 'change' in moment ? strikeAt(moment) : {}
    const running = await begin(work, world, folders, way)
    if ('after' in moment) {
      await Promise.race([running.ended, sleep(moment.after)])
      running.child.kill('SIGKILL')
    }
    const end = await endOf(running)
    if (running.child.signalCode === 'SIGKILL') kills++
    else if (!isDone(work, end)) return { what, kills, lost: [`after ${kills} kills: ${lastWords(end)}`] }
  }
  await passAnHour(folders.out)
  const end = await endOf(await begin(work, world, folders))
  if (kills === 0) reference.ms = end.ms
  if (!isDone(work, end)) return { what, kills, lost: [`in the end: ${lastWords(end)}`] }
  return { what, kills, lost: differences(await resultOf(folders.out), reference.result) }
}

const isDone = ({ done }: Work, { status, stderr }: Ended) => status === 0 || (done?.test(stderr) ?? false)

/** Makes what killed processes left of files as old as what is cleared away: younger ones could be of a process at work. */
async function passAnHour(folder: string): Promise<void> {
  const names = (await readdir(folder, { recursive: true }).catch(() => [])).filter((name) => name.endsWith('.tmp'))
  const then = new Date(Date.now() - 2 * 3_600_000)
  for (const name of names) await utimes(join(folder, name), then, then)
}

const strikeAt = ({ change, how }: { change: number; how: string }) => ({
  node: ['--import', strike],
  env: { FAULTS_STRIKE: `${change} ${how}` },
})

const kill = (name: string, about: string, works: readonly Work[]): Fault => ({
  name: `kill ${name}`,
  about: `kill -9 at random moments of ${about}, which goes on each time`,
  attempt: (at, random) => killAndGoOn(pick(random, works), at, random),
})

export const killFaults: readonly Fault[] = [
  kill('train', 'training, by any method', TRAINS),
  kill('sweep', 'a sweep', [SWEEP]),
  kill('pretrain', 'pretraining', [PRETRAIN]),
  kill('download', 'the download of a model', [DOWNLOAD]),
  kill('features', 'feature extraction', FEATURES),
  kill('import', 'the import of an official checkpoint', [IMPORT]),
  kill('export', 'an export', EXPORTS),
  kill('evaluate', 'commands that write predictions', EVALUATES),
  kill('add', 'the addition of a class', [ADD]),
  kill('samples', 'the copy of samples', [SAMPLES]),
  kill('inspect', 'an inspection', [INSPECT]),
  kill('report', 'a report', [REPORT]),
]
