import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { imageEncoder } from '../clip/encode.ts'
import metaClip from '../clip/fixtures/metaclip.json' with { type: 'json' }
import openClip from '../clip/fixtures/open-clip.json' with { type: 'json' }
import { KNOWN_MODELS } from '../clip/known-models.ts'
import type { Activation } from '../clip/types.ts'
import { saveOpenClip, tokenizerFiles } from '../lab/pretrain/save.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { type HubServer, hubServer } from '../testing/hub-server.ts'
import { tinyTables } from '../testing/tiny-clip.ts'
import { gunzipped } from '../testing/torch-files.ts'
import { openModel } from './model.ts'

// Small repositories laid out as those of the known models are. Weights and features are open_clip's (3.3) and those of
// transformers (5.18); the weights were saved by torch, with the position_ids that files of 2023 have beside them.

const fixture = (name: string) => gunzipped(new URL(`../clip/fixtures/${name}.bin.gz`, import.meta.url))
const VOCABULARY = tokenizerFiles(tinyTables, { contextLength: openClip.config.text_cfg.context_length })
const MEAN = [0.48145466, 0.4578275, 0.40821073]
const STD = [0.26862954, 0.26130258, 0.27577711]

let runtime: Runtime
let cache: string
let server: HubServer | undefined
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'hub-layouts-'))
  for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_TOKEN']) vi.stubEnv(name, '')
  vi.stubEnv('HF_HUB_CACHE', cache)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await server?.close()
  await rm(cache, { recursive: true, force: true })
})

type Content = string | Uint8Array | object

/** Opens a model of a repository with these files; returns what of it is fetched, what it computes with and its features. */
async function opened(id: string, files: Readonly<Record<string, Content>>, figures: typeof openClip.gelu) {
  const bytes = (content: Content) =>
    Buffer.from(typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
  const all = { 'README.md': '# a model', 'tokenizer_config.json': {}, ...Object.fromEntries(VOCABULARY), ...files }
  const entries = Object.entries(all).map(
    ([name, content]) => [name, { content: bytes(content), isLarge: /\.(bin|safetensors)$/.test(name) }] as const,
  )
  server = await hubServer(new Map(entries), id)
  vi.stubEnv('HF_ENDPOINT', server.endpoint)
  const { clip } = await openModel(id, {})
  const weights = server.seen.flatMap(({ url }) => /file=(.*)$/.exec(url)?.[1] ?? [])

  const { size, period } = openClip
  const n = 3 * size * size
  const pixels = [0, 1].map((i) => Float32Array.from({ length: n }, (_, j) => period[(i * n + j) % period.length] ?? 0))
  const encoder = imageEncoder(clip, runtime, 2)
  const features = await encoder.encode(pixels)
  await encoder.dispose()
  const wanted = figures.image.flat()
  const largest = Math.max(...wanted.map(Math.abs))
  for (const [i, value] of wanted.entries())
    expect(Math.abs((features[i] ?? Number.NaN) - value) / largest).toBeLessThan(1e-5)
  return { clip, weights }
}

const openClipConfig = (quick_gelu?: boolean) => ({
  model_cfg: { ...openClip.config, quick_gelu },
  preprocess_cfg: { mean: MEAN, std: STD },
})
const activationOf = (id: string): Activation | undefined =>
  KNOWN_MODELS.find((known) => known.id === id)?.config.text.activation

it('LAION: torch weights in the OpenCLIP layout, and later safetensors beside them', async () => {
  const id = 'laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K'
  const files = { 'open_clip_config.json': openClipConfig(), 'open_clip_pytorch_model.bin': fixture('open-clip') }
  const { clip, weights } = await opened(id, files, openClip.gelu)
  expect(weights).toEqual(['open_clip_pytorch_model.bin'])
  expect(clip.config.text.activation).toBe(activationOf(id))
  expect(clip.config.preprocess).toEqual({ size: 8, mean: MEAN, std: STD })

  await server?.close()
  await rm(cache, { recursive: true })
  const later = saveOpenClip(clip.config, clip.weights, tinyTables, { dtype: 'float32' }).get(
    'open_clip_model.safetensors',
  )
  const both = { ...files, 'open_clip_model.safetensors': later ?? '' }
  expect((await opened(id, both, openClip.gelu)).weights).toEqual(['open_clip_model.safetensors'])
})

it('Apple: torch weights in the OpenCLIP layout, with quick_gelu', async () => {
  const id = 'apple/DFN2B-CLIP-ViT-L-14'
  const files = {
    LICENSE: 'a licence',
    'open_clip_config.json': openClipConfig(true),
    'open_clip_pytorch_model.bin': fixture('open-clip'),
  }
  const { clip } = await opened(id, files, openClip.quick_gelu)
  expect(clip.config.text.activation).toBe(activationOf(id))
})

it("Meta: the layout of transformers, the maker's own file beside it", async () => {
  const id = 'facebook/metaclip-b32-400m'
  const files = {
    'config.json': metaClip.config,
    'metaclip_b32_400m.bin': fixture('open-clip'),
    'preprocessor_config.json': {
      crop_size: { height: 8, width: 8 },
      do_center_crop: true,
      do_convert_rgb: true,
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      feature_extractor_type: 'CLIPFeatureExtractor',
      image_mean: MEAN,
      image_processor_type: 'CLIPImageProcessor',
      image_std: STD,
      resample: 3,
      rescale_factor: 0.00392156862745098,
      size: { shortest_edge: 8 },
    },
    'pytorch_model.bin': fixture('metaclip'),
  }
  const { clip, weights } = await opened(id, files, metaClip.quick_gelu)
  expect(weights).toEqual(['pytorch_model.bin'])
  expect(clip.config.text.activation).toBe(activationOf(id))
  expect(clip.config.preprocess).toEqual({ size: 8, mean: MEAN, std: STD })
})
