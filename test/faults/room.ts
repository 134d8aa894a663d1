import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '../../src/base/random.ts'
import type { Ended } from '../../src/testing/coop.ts'
import { type Attempt, type Fault, type Place, pick } from './fault.ts'
import { endOf, lastWords } from './process.ts'
import { differences, resultOf, unfinishedFaults } from './result.ts'
import { tmpfs } from './tmpfs.ts'
import * as works from './works.ts'

/** A file system that has no room for what a work writes, then one that has. */
interface Refusal {
  /** Mount options between what is there and what a work needs. */
  options(there: Amount, need: Amount, random: Random): string
  readonly message: RegExp
}

interface Amount {
  readonly blocks: number
  readonly files: number
}

const BLOCK = 4096
const ROOM = 'size=256m,nr_inodes=100000'

const FULL: Refusal = {
  options: (there, need, random) => `size=${BLOCK * (there.blocks + 1 + random.int(need.blocks - there.blocks))}`,
  message: /the disk (of \S+ )?is full/,
}
const NO_INODES: Refusal = {
  options: (there, need, random) => `size=256m,nr_inodes=${there.files + 2 + random.int(need.files - there.files)}`,
  message: /the disk (of \S+ )?is full/,
}
const READ_ONLY: Refusal = { options: () => 'ro', message: /the file system is read-only/ }

async function refuse({ options, message }: Refusal, { world, folder }: Place, random: Random): Promise<Attempt> {
  const work = pick(random, works.REFUSED)
  const reference = await works.referenceOf(work, world)
  const need = await amountOf(reference.folders)
  const disk = await tmpfs(folder, ROOM)
  const folders = { ...works.foldersIn(disk.seen, world), cache: 'cache' }
  const way = { within: disk.within }
  try {
    await works.prepared(work, world, folders)
    const asked = options(await amountOf(folders), need, random)
    const what = `${work.name} on a disk with ${asked}`
    await disk.remount(asked)
    const first = await endOf(await works.begin(work, world, folders, way))
    const lost = refusalFaults(first, message)
    if (first.status !== 0) lost.push(...unfinishedFaults(await resultOf(folders.out), reference.result))
    await disk.remount(`rw,${ROOM}`)
    const end = await endOf(await works.begin(work, world, folders, way))
    if (end.status !== 0) lost.push(`with room again: ${lastWords(end)}`)
    else lost.push(...differences(await resultOf(folders.out), reference.result))
    return { what: `${what}, which ${first.status === 0 ? 'did' : 'did not do'}`, kills: 0, lost }
  } finally {
    await disk.close()
  }
}

/** What is wrong with how a command says that it was refused: 1, a message with a path and the reason, no stack. */
export function refusalFaults(end: Ended, message: RegExp): string[] {
  if (end.status === 0) return []
  const { stderr } = end
  const isOurs = message.test(stderr) && /coop-ts: |warning: /.test(stderr) && !/bug in coop|^\s+at /m.test(stderr)
  return end.status === 1 && isOurs ? [] : [`not a refusal of ours: ${lastWords(end)}`]
}

/** Blocks and files below the folders of a work. */
async function amountOf({ out, hub }: works.Folders): Promise<Amount> {
  let [blocks, files] = [1, 1]
  for (const folder of [out, hub]) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
      const { size } = await stat(join(entry.parentPath, entry.name))
      files++
      blocks += entry.isDirectory() ? 0 : Math.ceil(size / BLOCK)
    }
  }
  return { blocks, files }
}

export const roomFaults: readonly Fault[] = [
  {
    name: 'disk full',
    about: 'a command on a disk that becomes full, and once more with room',
    needs: ['tmpfs'],
    attempt: (at, random) => refuse(FULL, at, random),
  },
  {
    name: 'no inodes',
    about: 'a command on a disk that takes no more files, and once more when it does',
    needs: ['tmpfs'],
    attempt: (at, random) => refuse(NO_INODES, at, random),
  },
  {
    name: 'read-only',
    about: 'a command on a disk that is read-only, and once more when it is not',
    needs: ['tmpfs'],
    attempt: (at, random) => refuse(READ_ONLY, at, random),
  },
]
