import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashOf } from './content-hash.ts'
import { bundledModel, sealedFolders } from './package.ts'
import { changedFiles, writeSums } from './sums.ts'

describe('models and samples of the package', () => {
  it.each(sealedFolders().map((folder) => [basename(folder), folder]))('%s: are as published', async (_, folder) => {
    expect(await changedFiles(folder)).toEqual([])
  })

  it('the document about the model names the hash of its weights', async () => {
    const weights = hashOf(await readFile(join(bundledModel(), 'open_clip_model.safetensors')))
    expect(await readFile(join(bundledModel(), 'README.md'), 'utf8')).toContain(weights)
  })
})

describe('a folder with SHA256SUMS', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sums-'))
    await cp(bundledModel(), join(folder, 'model'), { recursive: true })
    await writeSums(folder)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it.each<[string, string[], () => Promise<unknown>]>([
    ['nothing', [], async () => {}],
    ['a document', [], () => writeFile(join(folder, 'model/README.md'), 'x')],
    ['a file', ['model/merges.txt'], () => writeFile(join(folder, 'model/merges.txt'), 'x')],
    ['a file that is new', ['more.json'], () => writeFile(join(folder, 'more.json'), '{}')],
    ['a file that is gone', ['model/vocab.json'], () => rm(join(folder, 'model/vocab.json'))],
  ])('shows the change of %s', async (_, changed, change) => {
    await change()
    expect(await changedFiles(folder)).toEqual(changed)
  })

  it('shows that all is unknown without it', async () => {
    await rm(join(folder, 'SHA256SUMS'))
    expect(await changedFiles(folder)).toHaveLength(6)
  })
})
