import { chmod, cp, lchown, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { NOBODY } from '../../src/testing/nobody.ts'
import { type Fault, pick } from './fault.ts'
import { endOf, lastWords, start } from './process.ts'
import { differences, resultOf, unfinishedFaults } from './result.ts'
import { refusalFaults } from './room.ts'
import * as works from './works.ts'

const isRoot = process.geteuid?.() === 0

/** Makes a folder and what is in it belong to another user, to whom something can be denied. */
async function give(folder: string, uid: number): Promise<void> {
  await lchown(folder, uid, uid)
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), uid, uid)
}

/** What is denied: a folder below the attempt's, and how. */
const LOCKS = [
  ['.', 0o555],
  ['out', 0o555],
  ['out', 0],
  ['cache', 0o555],
  ['cache', 0],
  ['cache/features', 0o555],
  ['hub', 0o555],
  ['hub', 0],
] as const

export const permissionFaults: readonly Fault[] = [
  {
    name: 'no permission',
    about: 'a command that may not write into, or look into, one of its folders, and once more when it may',
    needs: ['posix'],
    async attempt({ world, folder }, random) {
      const work = pick(random, works.REFUSED)
      const [locked, mode] = pick(random, LOCKS)
      const reference = await works.referenceOf(work, world)
      const what = `${work.name} with ${locked} locked (${mode.toString(8)})`
      const uid = isRoot ? NOBODY : undefined
      const folders = { ...works.foldersIn(folder, world), cache: join(folder, 'cache') }
      await works.prepared(work, world, folders)
      await cp(join(world.scratch, 'cache'), folders.cache, { recursive: true }).catch(() => mkdir(folders.cache))
      for (const name of ['out', 'hub', 'cache/features']) await mkdir(join(folder, name), { recursive: true })
      if (uid !== undefined) await give(folder, uid)
      const seen = await endOf(start([world.program.coop, '--version'], { uid }))
      if (seen.status !== 0) throw new Error(`another user cannot run this clone: ${lastWords(seen)}`)

      await chmod(join(folder, locked), mode)
      const first = await endOf(await works.begin(work, world, folders, { uid }))
      await chmod(join(folder, locked), 0o755)
      const lost = refusalFaults(first, /permission denied/)
      if (first.status !== 0) lost.push(...unfinishedFaults(await resultOf(folders.out), reference.result))
      const end = await endOf(await works.begin(work, world, folders, { uid }))
      if (end.status !== 0) lost.push(`unlocked again: ${lastWords(end)}`)
      else lost.push(...differences(await resultOf(folders.out), reference.result))
      return { what: `${what}, which ${first.status === 0 ? 'did' : 'did not do'}`, kills: 0, lost }
    },
  },
]
