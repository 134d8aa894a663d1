import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CoopError } from '../base/errors.ts'
import { type HubServer, hubServer } from '../testing/hub-server.ts'
import { type OpenOptions, openDataset } from './open.ts'

const fixture = (name: string) => fileURLToPath(new URL(`parquet/fixtures/${name}`, import.meta.url))
const SPLITS = ['train', 'validation', 'test'].map((split) => `${split}-00000-of-00001.parquet`)

let root = ''
let warnings: string[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-open-'))
  warnings = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

const at = (name: string) => join(root, name)
const open = (what: string, options: Partial<OpenOptions> = {}) =>
  openDataset(what, { cache: at('cache'), ...options }, { onWarning: (text) => warnings.push(text) })

async function errorOf(what: string, options?: Partial<OpenOptions>): Promise<string> {
  const error = await open(what, options).catch((thrown: unknown) => thrown)
  if (!(error instanceof CoopError)) throw new Error(`expected a CoopError, got ${JSON.stringify(error)}`)
  return `${error.message} | ${error.remedy}`
}

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(at(path)), { recursive: true })
    await writeFile(at(path), '')
  }
}

const IMAGES = ['cat', 'dog'].flatMap((name) => [1, 2, 3, 4].map((i) => `photos/${name}/${i}.jpg`))

describe('openDataset', () => {
  it('opens an image folder and a list', async () => {
    await put(...IMAGES)
    expect(await open(at('photos'))).toMatchObject({ name: 'photos', classNames: ['cat', 'dog'] })
    await writeFile(at('list.csv'), `path,label\n${IMAGES.map((image) => `${image},${dirname(image)}`).join('\n')}`)
    expect(await open(at('list.csv'))).toMatchObject({ name: 'list', classNames: ['photos/cat', 'photos/dog'] })
  })

  it('opens a parquet file, and folders of them in the layouts of the hub', async () => {
    const file = await open(fixture(SPLITS[0] ?? ''))
    expect(file.train.length + file.val.length + file.test.length).toBe(12)
    for (const layout of ['set/data/', 'set2/', 'set3/default/']) {
      await put(`${layout}x`, `${layout.split('/')[0]}/README.md`, `${layout.split('/')[0]}/logo.png`)
      for (const split of SPLITS) await copyFile(fixture(split), at(layout + split))
      const { train, val, test } = await open(at(layout.split('/')[0] ?? ''))
      expect([train.length, val.length, test.length]).toEqual([12, 4, 6])
    }
    await symlink(fixture(SPLITS[0] ?? ''), at('linked.parquet'))
    expect((await open(at('linked.parquet'))).classNames).toHaveLength(3)
  })

  it('takes a folder of images for one, whatever parquet lies in it', async () => {
    await put(...IMAGES, 'photos/metadata.parquet')
    expect((await open(at('photos'))).classNames).toEqual(['cat', 'dog'])
  })

  it("takes the paper's data sets by name before a folder called so, and says it", async () => {
    await put(...IMAGES.map((image) => image.replace('photos', 'data/caltech-101/101_ObjectCategories')))
    const dataset = await open('Caltech101', { root: at('data') })
    expect(dataset).toMatchObject({ name: 'Caltech101', classNames: ['cat', 'dog'], templates: ['a photo of a {}.'] })
    expect(warnings.join()).toMatch(/^[^,]*split_zhou_Caltech101.json is missing[^,]*$/)
    const before = process.cwd()
    await mkdir(at('eurosat'))
    process.chdir(root)
    try {
      expect(await errorOf('eurosat', { root: at('data') })).toMatch(/EuroSAT was not found: there is no folder .*data/)
      expect(warnings.join()).toMatch(/for the folder of that name write \.\/eurosat/)
      expect(await errorOf('./eurosat')).toMatch(/eurosat has no class folders/)
    } finally {
      process.chdir(before)
    }
  })

  it("turns pictures by EXIF, but not those of the paper's data sets, unless asked", async () => {
    await put(...IMAGES, ...IMAGES.map((image) => image.replace('photos', 'data/caltech-101/101_ObjectCategories')))
    const turned = async (what: string, options: Partial<OpenOptions> = {}) => {
      const { train, val, test } = await open(what, { root: at('data'), ...options })
      return new Set([...train, ...val, ...test].map((item) => item.turned ?? false))
    }
    expect(await turned(at('photos'))).toEqual(new Set([true]))
    expect(await turned(at('photos'), { exif: 'ignore' })).toEqual(new Set([false]))
    expect(await turned('caltech101')).toEqual(new Set([false]))
    expect(await turned('caltech101', { exif: 'turn' })).toEqual(new Set([true]))
  })

  it('says what was tried where it is nothing', async () => {
    expect(await errorOf(at('nowhere'))).toMatch(
      /nowhere: no such folder or file, and not a data set .* \| give a folder/,
    )
    expect(await errorOf('clatech101')).toMatch(/did you mean caltech101\?/)
    expect(await errorOf('owner/name')).toMatch(/hf:owner\/name for a data set on the Hugging Face hub/)
    await put('notes.txt')
    expect(await errorOf(at('notes.txt'))).toMatch(
      /neither a folder nor a list nor a parquet file \| lists end in \.csv, \.tsv, \.jsonl/,
    )
    for (const word of ['hf:', 'hf:a/b/c', 'hf:../x', 'hf:owner/name:', 'hf:owner/na me']) {
      expect(await errorOf(word)).toMatch(/is not a data set on the hub \| write hf:owner\/name/)
    }
  })
})

describe('a data set of the hub', () => {
  let server: HubServer
  beforeEach(async () => {
    server = await hubServer(new Map(), 'datasets/owner/tiny')
    vi.stubEnv('HF_ENDPOINT', server.endpoint)
    vi.stubEnv('HF_HOME', at('hf'))
    vi.stubEnv('HF_HUB_CACHE', undefined)
    vi.stubEnv('HF_TOKEN', undefined)
    vi.stubEnv('HF_HUB_OFFLINE', undefined)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await server.close()
  })
  const serve = async (path: string, from = path.split('/').at(-1) ?? '') =>
    server.files.set(path, { content: await readFile(fixture(from)), isLarge: true })

  it('is fetched once, and only what is needed', async () => {
    for (const split of SPLITS) await serve(`data/${split}`)
    server.files.set('README.md', { content: Buffer.from('---\nlicense: mit\n---\n') })
    server.files.set('data/preview.png', { content: Buffer.from('x') })
    const dataset = await open('hf:owner/tiny')
    expect(dataset).toMatchObject({ name: 'owner/tiny', classNames: ['sea_horse', 'cat', 'yellow bird'] })
    expect([dataset.train.length, dataset.val.length, dataset.test.length]).toEqual([12, 4, 6])
    expect(server.fileRequests().join('\n')).not.toMatch(/preview/)
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect(await open('hf:owner/tiny')).toEqual(dataset)
  })

  it('has revisions and configurations', async () => {
    for (const split of SPLITS) await serve(`small/${split}`)
    await serve(`big/${SPLITS[0]}`)
    expect(await errorOf('hf:owner/tiny')).toMatch(/several configurations: big, small/)
    expect((await open('hf:owner/tiny@v1:small')).test).toHaveLength(6)
    expect(await errorOf('hf:owner/tiny@v9:small')).toMatch(/v9/)
    expect(await errorOf('hf:owner/tiny:tiny')).toMatch(/no configuration "tiny" \| its configurations are big, small/)
  })

  it('without parquet files is taken as the hub has converted it', async () => {
    server.files.set('images.zip', { content: Buffer.from('x') })
    expect(await errorOf('hf:owner/tiny')).toMatch(/hf:owner\/tiny has no parquet files/)
    expect(server.seen.map(({ url }) => decodeURIComponent(url)).join('\n')).toContain('refs/convert/parquet')
    server.intercept = ({ url }, response) => {
      if (!url.includes('convert')) return false
      response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end()
      return true
    }
    expect(await errorOf('hf:owner/tiny')).toMatch(
      /hf:owner\/tiny has no parquet files, and the hub has not converted it/,
    )
  })
})
