import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MODEL_WORDS } from '../clip/known-models.ts'
import { BUNDLED } from '../node/package.ts'
import { chooseModel } from './choose-model.ts'

const COMMIT = 'c0ffee'.padEnd(40, '0')
const PHOTOS = ['a.JPG', 'b.heic', 'c.png']

let cache: string
let said: string[]
let asked: string[]
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'choose-model-'))
  said = []
  asked = []
  for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) vi.stubEnv(name, '')
  vi.stubEnv('HF_HUB_CACHE', cache)
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9') // nobody listens there
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true, force: true })
})

const hooks = { onWarning: (text: string) => void said.push(text) }
const answering = (yes: boolean) => ({
  ...hooks,
  onQuestion: async (text: string) => {
    asked.push(text)
    return yes
  },
})
const choose = (named: string | undefined, names: readonly string[], given: object = hooks, data = 'photos') =>
  chooseModel(
    named,
    data,
    names.map((path) => ({ path, label: 0 })),
    given,
  )

/** As a download leaves it; a link that leads nowhere is a download that did not end. */
async function keepInCache(id: string, weights = 'open_clip_pytorch_model.bin', whole = true): Promise<void> {
  const folder = join(cache, `models--${id.replace('/', '--')}`)
  const files = { 'refs/main': COMMIT, [`snapshots/${COMMIT}/open_clip_config.json`]: '{}', 'blobs/b': '' }
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), content)
  }
  await symlink(`../../blobs/${whole ? 'b' : 'gone'}`, join(folder, 'snapshots', COMMIT, weights))
}

describe('photographs, and no model named', () => {
  it('nobody can be asked: the bundled one, and a line that cannot be overlooked', async () => {
    expect(await choose(undefined, PHOTOS)).toEqual({ model: BUNDLED, place: BUNDLED })
    expect(said).toEqual([
      expect.stringMatching(
        /^THE BUNDLED MODEL KNOWS DRAWINGS ONLY.*--model fast \(laion\/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K, LAION's ViT-B\/32@256px, licence MIT, 605 MB to download once\)$/,
      ),
    ])
  })

  it('the person says', async () => {
    expect(await choose(undefined, PHOTOS, answering(true))).toEqual({
      model: MODEL_WORDS.fast,
      place: MODEL_WORDS.fast,
    })
    expect(said).toEqual([])
    expect(asked).toEqual([
      expect.stringMatching(/photographs[\s\S]*CLIP-ViT-B-32-256x256.*licence MIT, 605 MB.*once\?$/),
    ])
    expect(await choose(undefined, PHOTOS, answering(false))).toMatchObject({ model: BUNDLED })
    expect(said).toEqual([expect.stringMatching(/^THE BUNDLED MODEL/)])
  })

  it('nobody is asked for what cannot be fetched', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect(await choose(undefined, PHOTOS, answering(true))).toMatchObject({ model: BUNDLED })
    expect([asked.length, said.length]).toEqual([0, 1])
  })

  it('one that is in the cache is taken at its commit, and said; the words come first', async () => {
    await keepInCache('openai/clip-vit-large-patch14', 'model.safetensors')
    await keepInCache('facebook/metaclip-b32-400m')
    await keepInCache('owner/unknown')
    const taken = (id: string) => ({ model: id, place: `${id}@${COMMIT}` })
    // the first has no weights of the format that its configuration is of
    expect(await choose(undefined, PHOTOS, answering(true))).toEqual(taken('facebook/metaclip-b32-400m'))
    await keepInCache(MODEL_WORDS.best)
    await keepInCache(MODEL_WORDS.fast, 'open_clip_pytorch_model.bin', false)
    expect(await choose(undefined, PHOTOS, answering(true))).toEqual(taken(MODEL_WORDS.best))
    await keepInCache(MODEL_WORDS.good)
    expect(await choose(undefined, PHOTOS)).toEqual(taken(MODEL_WORDS.good))
    expect(asked).toEqual([])
    expect(said).toHaveLength(3)
    expect(said[2]).toMatch(
      /look like photographs.*taking laion\/CLIP-ViT-B-16-DataComp\.XL-s13B-b90K, which is in the cache/,
    )
  })
})

describe('otherwise', () => {
  it('the bundled model for drawings, and for nothing', async () => {
    await keepInCache(MODEL_WORDS.fast)
    expect(await choose(undefined, ['a.jpg', 'b.png', 'c.gif'], answering(true))).toMatchObject({ model: BUNDLED })
    expect(await choose(undefined, [], answering(true))).toMatchObject({ model: BUNDLED })
    expect([...asked, ...said]).toEqual([])
  })

  it("the bundled model for the paper's data sets, whose protocol names one; it is said", async () => {
    await keepInCache(MODEL_WORDS.fast)
    expect(await choose(undefined, PHOTOS, answering(true), 'caltech101')).toMatchObject({ model: BUNDLED })
    expect([asked.length, said.length]).toEqual([0, 1])
  })

  it('what was named', async () => {
    expect(await choose(BUNDLED, PHOTOS, answering(true))).toMatchObject({ model: BUNDLED })
    expect([asked.length, said.length]).toEqual([0, 1])
    const id = 'openai/clip-vit-base-patch16'
    expect(await choose(id, PHOTOS)).toEqual({ model: id, place: id })
    expect(await choose('good', PHOTOS)).toEqual({ model: MODEL_WORDS.good, place: MODEL_WORDS.good })
    expect(said).toHaveLength(1)
  })
})
