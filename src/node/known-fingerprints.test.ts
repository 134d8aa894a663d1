import { mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { knownFingerprint } from './known-fingerprints.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-ts-known-'))
  await writeFile(join(folder, 'weights'), 'abc')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const LATER = Date.now() + 60_000
/** What is said of the file in the folder, and whether it was computed. */
async function asked(fingerprint: string, since = LATER, files = ['weights']) {
  let computed = false
  const compute = async () => {
    computed = true
    return fingerprint.repeat(64)
  }
  const paths = files.map((file) => join(folder, file))
  const [said] = await knownFingerprint(join(folder, 'cache'), paths, since, compute)
  return { said, computed }
}

it('is computed once for the same file', async () => {
  expect(await asked('a')).toEqual({ said: 'a', computed: true })
  expect(await asked('b')).toEqual({ said: 'a', computed: false })
})

it('is computed once for the same files, whatever their order', async () => {
  await writeFile(join(folder, 'other'), 'abd')
  await asked('a', LATER, ['weights', 'other'])
  expect(await asked('b', LATER, ['other', 'weights'])).toEqual({ said: 'a', computed: false })
})

it('is computed anew for a file of the same size and time, and for more files', async () => {
  const then = new Date(2020, 1, 1)
  await utimes(join(folder, 'weights'), then, then)
  await asked('a')
  await writeFile(join(folder, 'other'), 'abd')
  await utimes(join(folder, 'other'), then, then)
  expect(await asked('c', LATER, ['weights', 'other'])).toEqual({ said: 'c', computed: true })
  await rename(join(folder, 'other'), join(folder, 'weights'))
  expect(await asked('b')).toEqual({ said: 'b', computed: true })
})

it('is not kept of a file that changed while it was read, or just before, nor of one that is gone', async () => {
  const { mtimeMs } = await stat(join(folder, 'weights'))
  await asked('a', mtimeMs + 50)
  expect(await asked('b')).toEqual({ said: 'b', computed: true })
  expect(await asked('c', LATER, ['nothing'])).toEqual({ said: 'c', computed: true })
})

it('is computed anew where what was kept is no fingerprint', async () => {
  await asked('a')
  const kept = join(folder, 'cache', 'fingerprints')
  for (const name of await readdir(kept)) await writeFile(join(kept, name), 'a'.repeat(63))
  expect(await asked('b')).toEqual({ said: 'b', computed: true })
})
