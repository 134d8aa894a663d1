import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { hashOf } from './content-hash.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-ts-kept-'))
  await writeFile(join(folder, 'a'), 'abc')
  await writeFile(join(folder, 'b'), 'def')
  vi.setSystemTime(Date.now() + 60_000) // files were written long ago
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true, force: true })
})

/** Hashes of the files a and b, as a new process has them: it knows nothing but what is in the cache folder. */
async function hashes(): Promise<string[]> {
  vi.resetModules()
  const { keptContentHash } = await import('./kept-hashes.ts')
  const hash = keptContentHash(join(folder, 'cache'))
  return Promise.all(['a', 'b'].map((name) => hash(join(folder, name))))
}

/** Changes what is kept, so that it can be told from what is computed. */
async function changeKept(change: (text: string) => string): Promise<void> {
  const kept = join(folder, 'cache', 'pictures')
  for (const name of await readdir(kept)) {
    await writeFile(join(kept, name), change(await readFile(join(kept, name), 'utf8')))
  }
}

const [OF_A, OF_B, MARK] = [hashOf('abc'), hashOf('def'), 'f'.repeat(64)]
const mark = () => changeKept((text) => text.replaceAll(OF_A, MARK))

it('are computed once for the same files', async () => {
  expect(await hashes()).toEqual([OF_A, OF_B])
  await mark()
  expect(await hashes()).toEqual([MARK, OF_B])
})

it('are computed anew for a file of the same size and time', async () => {
  const then = new Date(2020, 1, 1)
  await utimes(join(folder, 'a'), then, then)
  await hashes()
  await mark()
  await writeFile(join(folder, 'a'), 'abd')
  await utimes(join(folder, 'a'), then, then)
  expect(await hashes()).toEqual([hashOf('abd'), OF_B])
})

it('are not kept of files that changed while they were read, or just before', async () => {
  vi.setSystemTime((await stat(join(folder, 'a'))).mtimeMs + 50)
  await hashes()
  expect(await readdir(join(folder, 'cache')).catch(() => [])).toEqual([])
})

it('are computed anew where what was kept is damaged, or cannot be kept', async () => {
  await hashes()
  for (const damage of [(text: string) => text.slice(1), (text: string) => text.replace(OF_A, 'no hash')]) {
    await changeKept(damage)
    expect(await hashes()).toEqual([OF_A, OF_B])
  }
  await rm(join(folder, 'cache'), { recursive: true })
  await writeFile(join(folder, 'cache'), 'no folder')
  expect(await hashes()).toEqual([OF_A, OF_B])
})
