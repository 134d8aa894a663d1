import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { folderModelFiles, statIfThere, writeFileAtomic } from './files.ts'
import { readJsonObject } from './run-folder.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-files-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('reads texts and ranges of a folder', async () => {
  await writeFile(join(folder, 'a.txt'), 'hällo')
  const files = folderModelFiles(folder)
  expect(await files.has('a.txt')).toBe(true)
  expect(await files.has('b.txt')).toBe(false)
  expect(await files.text('a.txt')).toBe('hällo')
  const source = await files.open('a.txt')
  expect(source).toMatchObject({ name: join(folder, 'a.txt'), size: 6 })
  expect([...(await source.read(3, 2))]).toEqual([0x6c, 0x6c])
  expect((await source.read(4, 100)).length).toBe(2)
  await expect(files.text('b.txt')).rejects.toThrow(FileError)
  await expect(files.open('b.txt')).rejects.toThrow(/b\.txt: no such file/)
})

it('writes whole files, making folders, replacing what was there, leaving nothing else', async () => {
  const path = join(folder, 'deep/er/x.bin')
  await writeFileAtomic(path, 'one')
  await writeFileAtomic(path, Uint8Array.of(1, 2))
  expect([...(await readFile(path))]).toEqual([1, 2])
  expect(await readdir(join(folder, 'deep/er'))).toEqual(['x.bin'])
})

it('clears away what a killed process left of the same file, once it is old', async () => {
  const left = (name: string, n: number) => `.${name}.01234567-89ab-cdef-0123-45678900000${n}.tmp`
  const anHourAgo = new Date(Date.now() - 3_700_000)
  for (const name of [left('a', 1), left('a', 2), left('b', 3)]) await writeFile(join(folder, name), 'half')
  for (const name of [left('a', 1), left('b', 3)]) await utimes(join(folder, name), anHourAgo, anHourAgo)
  await writeFileAtomic(join(folder, 'a'), 'whole')
  expect((await readdir(folder)).sort()).toEqual([left('a', 2), left('b', 3), 'a'])
})

it('leaves the old content and no temporary file when it cannot write', async () => {
  await mkdir(join(folder, 'taken'))
  await expect(writeFileAtomic(join(folder, 'taken'), 'x')).rejects.toThrow(/cannot write .*taken/)
  expect(await readdir(folder)).toEqual(['taken'])
})

it('tells what is not there from what cannot be seen', async () => {
  await writeFile(join(folder, 'a'), '')
  await symlink('loop', join(folder, 'loop'))
  expect(await statIfThere(join(folder, 'none'))).toBeUndefined()
  expect(await statIfThere(join(folder, 'a', 'below'))).toBeUndefined()
  await expect(statIfThere(join(folder, 'loop'))).rejects.toThrow(FileError)
})

it('does not advise to download a damaged file of a run', async () => {
  await writeFile(join(folder, 'results.json'), '{"a": ')
  await expect(readJsonObject(join(folder, 'results.json'))).rejects.toMatchObject({
    remedy: 'restore the file, or start the run again',
  })
})
