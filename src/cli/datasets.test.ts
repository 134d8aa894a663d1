import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'

interface Miniature {
  files: string[]
  saved: string
  draws: { seed: number; shots: number; half: string; train: string[]; val: string[] }[]
}
const { eurosat, dtd }: { eurosat: Miniature; dtd: Miniature } = JSON.parse(
  readFileSync(new URL('../datasets/official/fixtures/miniatures.json', import.meta.url), 'utf8'),
)

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-cli-datasets-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, text = ''): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

describe('coop-ts datasets', () => {
  it('lists all with counts, folder and prompt', async () => {
    const { stdout, status } = await coop('datasets')
    expect(status).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(16)
    expect(stdout).toMatch(/caltech101 +100 +4128 +1649 +2465 +caltech-101 +a photo of a \{\}\./)
  })

  it('says what is there of each, what is missing, what differs, and where to get it', async () => {
    await Promise.all(eurosat.files.map((file) => put(file)))
    await put('eurosat/split_zhou_EuroSAT.json', eurosat.saved)
    await put('dtd/split_zhou_DescribableTextures.json', dtd.saved)
    await put('food-101/README.txt')
    const { stdout } = await coop('datasets', '--root', root)
    expect(stdout).toContain('eurosat         not as published: 4 classes')
    expect(stdout).toContain('  classes: 4 here, 10 published')
    expect(stdout).toMatch(/dtd +incomplete: 3 classes.*images are missing.*missing: dtd.images\n {2}get images: http/s)
    expect(stdout).toMatch(/food101 +incomplete\n.*missing: food-101.split_zhou_Food101.json/s)
    expect(stdout).toMatch(/ucf101 +not found\n {2}missing: ucf101\n {2}get UCF-101-midframes: https/)

    const listed = Object.assign({ datasets: [] }, onlyJson(await coop('datasets', '--root', root, '--json')))
    expect(listed.datasets).toHaveLength(15)
    expect(listed.datasets).toContainEqual(
      expect.objectContaining({
        id: 'eurosat',
        counts: { classes: 10, train: 13500, val: 5400, test: 8100 },
        status: expect.objectContaining({ state: 'differs', split: 'file', missing: [] }),
      }),
    )
  })

  it('prints subsets as JSON and nothing else, with a warning where images are missing', async () => {
    await put('eurosat/split_zhou_EuroSAT.json', eurosat.saved)
    const { seed, shots, train, val } = eurosat.draws.find(({ half }) => half === 'all') ?? { train: [], val: [] }
    const words = ['datasets', 'subset', 'EuroSAT', '--root', root, '--shots', String(shots), '--seed', String(seed)]
    const ended = await coop(...words, '--json')
    expect(JSON.parse(ended.stdout)).toEqual({ train, val })
    expect(ended.stderr).toMatch(/warning: .*images drawn are not on disk/)
    expect((await coop(...words, '--quiet')).stdout).toContain(`train\t${train[0]}\n`)
  })

  it('writes a split that is missing, once', async () => {
    await Promise.all(dtd.files.map((file) => put(file)))
    const file = join(root, 'dtd', 'split_zhou_DescribableTextures.json')
    expect(onlyJson(await coop('datasets', 'split', 'dtd', '--root', root, '--json'))).toEqual({ file })
    expect(readFileSync(file, 'utf8')).toBe(dtd.saved)
    expectFailure(await coop('datasets', 'split', 'dtd', '--root', root, '--json'), 2, /already exists/)
  })

  it.each<[words: string[], status: number, message: RegExp]>([
    [['constructor', 'dtd'], 2, /has no subcommand "constructor"/],
    [['draw'], 2, /has no subcommand "draw"/],
    [['subset'], 2, /subset: no data set given/],
    [['subset', 'oxford_pet'], 2, /no data set "oxford_pet" \(did you mean oxford_pets\?\)/],
    [['subset', 'imagenet-a'], 2, /for testing only/],
    [['split', 'aircraft'], 2, /needs no split file/],
    [['subset', 'dtd', '--root', '/nowhere'], 1, /no folder .nowhere.dtd/],
    [['--root', '/nowhere'], 1, /nowhere: no such folder/],
  ])('refuses %j', async (words, status, message) => {
    expectFailure(await coop('datasets', ...words, '--json'), status, message)
  })
})
