import { access, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HubFile, type HubServer, hubServer, refuse } from '../../testing/hub-server.ts'
import { hubModel } from './model.ts'
import type { HubRepo } from './repo.ts'
import type { HubSettings } from './settings.ts'

const REPO: HubRepo = { type: 'model', id: 'owner/tiny', revision: 'main' }
/** Written by huggingface_hub 1.33 from such a server: config.json, model.safetensors, tokenizer.json, no preprocessor. */
const PYTHON_CACHE = fileURLToPath(new URL('fixtures/python-cache', import.meta.url))
const CONFIG = '{"model_type": "clip"}'
const TOKENIZER = ['vocab.json', 'merges.txt']

let root: string
let server: HubServer | undefined
let hub: HubSettings
let warnings: string[]
const hooks = { onWarning: (text: string) => void warnings.push(text) }

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hub-model-'))
  warnings = []
  hub = {
    endpoint: 'http://127.0.0.1:9', // nobody listens there
    cacheDir: join(root, 'hub'),
    token: undefined,
    offline: false,
    etagTimeout: 20_000,
    downloadTimeout: 20_000,
    retryDelay: 1,
    symlinks: true,
  }
})

afterEach(async () => {
  await server?.close()
  server = undefined
  await rm(root, { recursive: true, force: true })
})

/** A repository whose files have their names as contents, or those given. */
async function serve(names: readonly string[], contents: Readonly<Record<string, string>> = {}): Promise<HubServer> {
  const files = names.map((name): [string, HubFile] => {
    const content = Buffer.from(
      contents[name] ?? (name.endsWith('processor_config.json') ? '{}' : name.endsWith('config.json') ? CONFIG : name),
    )
    return [name, { content, isLarge: /\.(bin|safetensors|h5)$/.test(name) }]
  })
  server = await hubServer(new Map(files))
  hub = { ...hub, endpoint: server.endpoint }
  return server
}

const get = (repo: HubRepo = REPO) => hubModel(repo, hooks, hub)
const fetched = (from: HubServer) =>
  from
    .fileRequests()
    .filter((line) => line.startsWith('GET /owner/'))
    .map((line) => line.split('/').at(-1))
    .sort()
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

describe('of a repository', () => {
  const others = [
    'README.md',
    'pytorch_model.bin',
    'tf_model.h5',
    'onnx/model.onnx',
    'flax_model.msgpack',
    'a.safetensors',
  ]
  const openClip = ['open_clip_config.json', 'open_clip_model.safetensors', 'open_clip_pytorch_model.bin']

  it.each<[string, readonly string[], readonly string[]]>([
    [
      'in the Hugging Face format',
      ['config.json', 'preprocessor_config.json', 'model.safetensors', 'tokenizer.json', ...TOKENIZER],
      // tokens that were added to the vocabulary may stand in tokenizer.json alone
      ['config.json', 'merges.txt', 'model.safetensors', 'preprocessor_config.json', 'tokenizer.json', 'vocab.json'],
    ],
    [
      'as transformers 5 writes it',
      ['config.json', 'processor_config.json', 'model.safetensors', 'tokenizer.json'],
      ['config.json', 'model.safetensors', 'processor_config.json', 'tokenizer.json'],
    ],
    [
      'with a fast tokenizer',
      ['config.json', 'model.safetensors', 'tokenizer.json'],
      ['config.json', 'model.safetensors', 'tokenizer.json'],
    ],
    [
      'with pickled weights of one format and safetensors of another',
      ['open_clip_config.json', 'open_clip_pytorch_model.bin', 'config.json', 'model.safetensors'],
      ['config.json', 'model.safetensors'],
    ],
    ['without a tokenizer', ['config.json', 'model.safetensors'], ['config.json', 'model.safetensors']],
    [
      'with pickled weights only',
      ['config.json', 'tokenizer.json'],
      ['config.json', 'pytorch_model.bin', 'tokenizer.json'],
    ],
  ])('%s no more is fetched than needed', async (_, names, needed) => {
    const from = await serve([...others, ...names])
    const { folder, repo } = await get()
    expect(fetched(from)).toEqual(needed)
    expect(folder).toBe(join(hub.cacheDir, 'models--owner--tiny/snapshots', from.commit))
    expect(repo).toEqual({ ...REPO, revision: from.commit })
    for (const name of needed) expect(await isThere(join(folder, name))).toBe(true)
  })

  it('with a vocabulary from before is given the tokens that were added to it', async () => {
    const before = await serve(['config.json', 'model.safetensors', ...TOKENIZER])
    await get()
    await server?.close()
    const noted = (await readdir(join(hub.cacheDir, 'models--owner--tiny/.no_exist', before.commit))).sort()
    expect(noted).toEqual(expect.arrayContaining(['added_tokens.json', 'tokenizer.json']))
    await rm(join(hub.cacheDir, 'models--owner--tiny/.no_exist'), { recursive: true })
    const now = await serve(['config.json', 'model.safetensors', 'tokenizer.json', ...TOKENIZER])
    await get({ ...REPO, revision: now.commit })
    expect(fetched(now)).toContain('tokenizer.json')
  })

  it('in the OpenCLIP format its safetensors are taken, once', async () => {
    const from = await serve([...openClip, 'config.json', 'model.safetensors', ...TOKENIZER], {
      'open_clip_config.json': JSON.stringify({
        model_cfg: {
          embed_dim: 4,
          text_cfg: { context_length: 8, vocab_size: 9, width: 4, heads: 1, layers: 1 },
          vision_cfg: { image_size: 8, patch_size: 4, width: 4, head_width: 4, layers: 1 },
        },
      }),
    })
    await get()
    expect(fetched(from)).toEqual(['merges.txt', 'open_clip_config.json', 'open_clip_model.safetensors', 'vocab.json'])
    from.seen.length = 0
    await get()
    expect(from.fileRequests()).toEqual([])
  })

  it('all shards that the index names are fetched, and no others', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const index = { weight_map: { a: shards[0], b: shards[1], c: shards[0] } }
    const from = await serve(
      ['config.json', 'model.safetensors.index.json', ...shards, 'model-00003-of-00003.safetensors', 'tokenizer.json'],
      { 'model.safetensors.index.json': JSON.stringify(index) },
    )
    await get()
    expect(fetched(from)).toEqual(['config.json', ...shards, 'model.safetensors.index.json', 'tokenizer.json'].sort())
  })

  it('what was damaged in the cache is removed from it and fetched again, and without network it is missing', async () => {
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'preprocessor_config.json']
    const from = await serve(names)
    const { folder } = await get()
    const content = (name: string) => readFile(join(folder, name), 'utf8')
    from.seen.length = 0
    await writeFile(join(folder, 'model.safetensors'), 'model.safetensorz')
    await writeFile(join(folder, 'config.json'), '')
    await get()
    expect(warnings).toEqual([
      'config.json of owner/tiny was damaged in the cache, and was removed from it',
      'model.safetensors of owner/tiny was damaged in the cache, and was removed from it',
    ])
    expect(fetched(from)).toEqual(['config.json', 'model.safetensors'])
    expect([await content('config.json'), await content('model.safetensors')]).toEqual([CONFIG, 'model.safetensors'])
    await rm(join(folder, 'model.safetensors'))
    await writeFile(join(folder, 'config.json'), '{')
    await get()
    expect([await content('config.json'), await content('model.safetensors')]).toEqual([CONFIG, 'model.safetensors'])
    await writeFile(join(folder, 'model.safetensors'), 'model')
    hub = { ...hub, offline: true }
    await expect(get()).rejects.toThrow(/owner\/tiny is not in the cache|not whole|is missing|not in the cache/)
  })

  it('that is another model the weights are not fetched', async () => {
    const from = await serve(['config.json', 'model.safetensors', 'tokenizer.json'], {
      'config.json': '{"model_type": "siglip"}',
    })
    await expect(get()).rejects.toThrow(/siglip.*not supported|not supported.*siglip/i)
    expect(fetched(from)).not.toContain('model.safetensors')
  })

  it('without weights that are read it is said which it has', async () => {
    await serve(['config.json', 'tf_model.h5', 'flax_model.msgpack'])
    await expect(get()).rejects.toThrow(
      /owner\/tiny on the hub has its weights only as tf_model.h5, flax_model.msgpack/,
    )
  })

  it('without a model it is said what was looked for', async () => {
    await serve(['README.md'])
    await expect(get()).rejects.toThrow(/contains no CLIP model: looked for open_clip_config.json with/)
  })

  it('on a mirror without an API the files are tried by name', async () => {
    const from = await serve(['config.json', 'model.safetensors', 'tokenizer.json'])
    from.intercept = ({ url }, response) => {
      if (url.startsWith('/api/')) refuse(response, 404)
      return url.startsWith('/api/')
    }
    const { folder } = await get()
    expect(await readFile(join(folder, 'model.safetensors'), 'utf8')).toBe('model.safetensors')
    expect(fetched(from)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
  })

  it('that there is not, nothing is written', async () => {
    await serve(['config.json'])
    await expect(get({ ...REPO, id: 'owner/other' })).rejects.toThrow(/has no model owner\/other, or it is private/)
    await expect(get({ ...REPO, revision: 'v9' })).rejects.toThrow(/owner\/tiny on .* has no revision "v9"/)
    expect(await isThere(hub.cacheDir)).toBe(false)
  })

  it('at a tag', async () => {
    const from = await serve(['config.json', 'model.safetensors', 'tokenizer.json'])
    await get({ ...REPO, revision: 'v1' })
    expect(await readFile(join(hub.cacheDir, 'models--owner--tiny/refs/v1'), 'utf8')).toBe(from.commit)
  })
})

describe('that Python has fetched', () => {
  const COMMIT = '918e1cd22b53993bc56d2150a3fc3de92302113a'
  const model = () => join(hub.cacheDir, 'models--owner--tiny/snapshots', COMMIT)
  beforeEach(() => cp(PYTHON_CACHE, hub.cacheDir, { recursive: true, verbatimSymlinks: true }))

  it('is taken without network where that is asked for', async () => {
    hub = { ...hub, offline: true }
    expect((await get()).folder).toBe(model())
    expect(await readFile(join(model(), 'model.safetensors'), 'utf8')).toBe('weights')
    expect(warnings).toEqual([])
  })

  it('is taken without a question where its commit is named', async () => {
    expect((await get({ ...REPO, revision: COMMIT })).folder).toBe(model())
  })

  it('is taken with a warning where the hub cannot be reached, or is out of order', async () => {
    expect((await get()).folder).toBe(model())
    expect(warnings).toEqual([expect.stringMatching(/cannot reach 127.0.0.1:9: .*; using the cached owner\/tiny/)])
    const from = await serve([])
    from.intercept = (_, response) => {
      refuse(response, 503)
      return true
    }
    expect((await get()).folder).toBe(model())
    expect(from.seen.length).toBe(1)
  })

  it('is not fetched again, though the repository has other formats as well', async () => {
    const from = await serve([
      'open_clip_config.json',
      'open_clip_model.safetensors',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ])
    expect(from.commit).toBe(COMMIT)
    expect((await get()).folder).toBe(model())
    expect(from.fileRequests()).toEqual([])
  })

  it('without its tokenizer keeps its format, and its weights are not fetched in another', async () => {
    await rm(join(model(), 'tokenizer.json'))
    const from = await serve([
      'open_clip_config.json',
      'open_clip_model.safetensors',
      'config.json',
      'model.safetensors',
      ...TOKENIZER,
    ])
    await get()
    expect(fetched(from)).toEqual(['merges.txt', 'vocab.json'])
  })

  it('with a tokenizer of another kind is left as it is', async () => {
    const from = await serve(['config.json', 'model.safetensors', ...TOKENIZER])
    await get()
    expect(from.fileRequests()).toEqual([])
  })

  it('but not whole is completed', async () => {
    await rm(join(model(), 'model.safetensors'))
    await rm(
      join(hub.cacheDir, 'models--owner--tiny/blobs/9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c'),
    )
    hub = { ...hub, offline: true }
    await expect(get()).rejects.toThrow(/HF_HUB_OFFLINE is set, and .* of owner\/tiny is not in the cache/)
    hub = { ...hub, offline: false }
    const from = await serve(['config.json', 'model.safetensors', 'tokenizer.json'])
    await get()
    expect(fetched(from)).toEqual(['model.safetensors'])
    expect(await readFile(join(model(), 'config.json'), 'utf8')).toBe('{"model_type": "clip"}\n')
  })
})
