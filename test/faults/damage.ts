import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../src/base/random.ts'
import { type Attempt, type Fault, pick } from './fault.ts'
import { endOf, lastWords } from './process.ts'
import { differences, resultOf } from './result.ts'
import * as works from './works.ts'

/** What becomes of a file in a cache. */
const DAMAGES = {
  flipped(bytes: Buffer, random: Random) {
    for (let left = 1 + random.int(4); left > 0; left--) bytes[random.int(bytes.length)]! ^= 1 << random.int(8)
    return bytes
  },
  cut: (bytes: Buffer, random: Random) => bytes.subarray(0, random.int(bytes.length)),
  emptied: () => Buffer.alloc(0),
  lengthened: (bytes: Buffer, random: Random) =>
    Buffer.concat([bytes, bytes.subarray(0, 1 + random.int(bytes.length))]),
  removed: () => undefined,
} satisfies Record<string, (bytes: Buffer, random: Random) => Buffer | undefined>

/** Damages some files below a folder; says which and how. */
async function damage(folder: string, share: number, random: Random): Promise<string> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const done: string[] = []
  for (const entry of entries) {
    if (random.next() >= share) continue
    const how = pick(random, ['flipped', 'cut', 'emptied', 'lengthened', 'removed'] as const)
    const file = join(entry.parentPath, entry.name)
    const bytes = await readFile(file)
    const damaged = bytes.length === 0 ? undefined : DAMAGES[how](bytes, random)
    if (damaged === undefined) await rm(file)
    else await writeFile(file, damaged)
    done.push(how)
  }
  return `${done.length} of ${entries.length} files ${[...new Set(done)].join(', ')}`
}

const FROM_FEATURES: readonly works.Work[] = [...works.TRAINS, works.SWEEP, ...works.FEATURES]

async function damagedFeatures(at: Parameters<Fault['attempt']>[0], random: Random): Promise<Attempt> {
  const { world, folder } = at
  const work = pick(random, FROM_FEATURES)
  const reference = await works.referenceOf(work, world)
  const folders = { ...works.foldersIn(folder, world), cache: join(folder, 'cache') }
  await cp(join(world.scratch, 'cache'), folders.cache, { recursive: true })
  const before = await damage(folders.cache, random.next(), random)
  const running = await works.begin(work, world, folders)
  const during: string[] = []
  if (random.int(2) === 0) {
    await sleep(reference.ms * random.next())
    during.push(await damage(folders.cache, 0.5, random).catch(() => 'nothing'))
  }
  const what = `${work.name}: of the cache ${before}; while it works ${during[0] ?? 'nothing'}`
  const end = await endOf(running)
  if (end.status !== 0) return { what, kills: 0, lost: [lastWords(end)] }
  return { what, kills: 0, lost: differences(await resultOf(folders.out), reference.result) }
}

async function damagedModel(at: Parameters<Fault['attempt']>[0], random: Random): Promise<Attempt> {
  const { world, folder } = at
  const work = works.DOWNLOAD
  const reference = await works.referenceOf(work, world)
  const folders = works.foldersIn(folder, world)
  await cp(reference.folders.hub, folders.hub, { recursive: true, verbatimSymlinks: true })
  const before = await damage(join(folders.hub, 'hub'), 0.5, random)
  const what = `${work.name}: of the cache of models ${before}`
  const end = await endOf(await works.begin(work, world, folders))
  if (end.status !== 0) return { what, kills: 0, lost: [lastWords(end)] }
  return { what, kills: 0, lost: differences(await resultOf(folders.out), reference.result) }
}

export const damageFaults: readonly Fault[] = [
  {
    name: 'damaged features',
    about: 'files of the cache of features damaged, also while they are used',
    attempt: damagedFeatures,
  },
  { name: 'damaged model', about: 'files of the cache of models damaged', attempt: damagedModel },
]
