import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { bytesSource } from '../formats/safetensors.ts'
import rn from '../formats/torch-file/fixtures/openai-rn.json' with { type: 'json' }
import vit from '../formats/torch-file/fixtures/openai-vit.json' with { type: 'json' }
import { tokenizerFiles } from '../lab/pretrain/save.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { distance } from '../testing/distance.ts'
import { tinyTables } from '../testing/tiny-clip.ts'
import { gunzipped, zipOf } from '../testing/torch-files.ts'
import { encodeTexts, imageEncoder } from './encode.ts'
import { loadClip, type ModelFiles } from './load.ts'

const fixture = (name: string) => gunzipped(new URL(`../formats/torch-file/fixtures/${name}.gz`, import.meta.url))

/** A file with a tokenizer (or what `beside` has) beside it. */
function filesWith(bytes: Uint8Array, beside: ReadonlyMap<string, string | Uint8Array> = tokenizer): ModelFiles {
  const all = new Map<string, string | Uint8Array>([['model.pt', bytes], ...beside])
  const bytesOf = (file: string) => {
    const content = all.get(file) ?? ''
    return typeof content === 'string' ? new TextEncoder().encode(content) : content
  }
  return {
    name: 'dir',
    single: 'model.pt',
    has: async (file) => all.has(file),
    text: async (file) => new TextDecoder().decode(bytesOf(file)),
    open: async (file) => bytesSource(`dir/${file}`, bytesOf(file)),
  }
}
const tokenizer = tokenizerFiles(tinyTables, { contextLength: 16 })

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

// Tiny CLIPs of OpenAI's own code, traced and saved in half precision as the release files are; the figures are PyTorch's.
describe.each([
  ['ViT', 'openai-vit.pt', vit],
  ['ModifiedResNet', 'openai-rn.pt', rn],
])('a release file with a %s', (_, file, figures) => {
  it('gives the features of PyTorch', async () => {
    const clip = await loadClip(filesWith(fixture(file)))
    const { size, pixelsPeriod: period } = figures
    const n = 3 * size * size
    const pixels = [0, 1].map((i) =>
      Float32Array.from({ length: n }, (_, j) => period[(i * n + j) % period.length] ?? 0),
    )
    const encoder = imageEncoder(clip, runtime, 2)
    expect(distance(await encoder.encode(pixels), figures.image.flat())).toBeLessThan(1e-5)
    await encoder.dispose()
    for (const [i, text] of figures.texts.entries()) expect(clip.tokenizer.tokenize(text)).toEqual(figures.tokens[i])
    const { data } = await encodeTexts(clip, runtime, figures.texts)
    expect(distance(data, figures.text.flat())).toBeLessThan(1e-5)
  })
})

it('reads the sizes off the tensors', async () => {
  const [a, b] = await Promise.all(['openai-vit.pt', 'openai-rn.pt'].map((file) => loadClip(filesWith(fixture(file)))))
  expect(a?.config).toMatchObject({
    embedDim: 24,
    text: {
      width: 128,
      heads: 2,
      layers: 1,
      mlpWidth: 512,
      activation: 'quick_gelu',
      contextLength: 16,
      vocabSize: 549,
    },
    vision: { kind: 'vit', imageSize: 16, patchSize: 8, width: 128, heads: 2, layers: 1, activation: 'quick_gelu' },
    preprocess: { size: 16, mean: [0.48145466, 0.4578275, 0.40821073] },
  })
  expect(b?.config.vision).toEqual({ kind: 'resnet', imageSize: 32, width: 4, layers: [1, 2, 1, 1], heads: 2 })
})

describe('the same tensors beside a configuration, as open_clip_pytorch_model.bin', () => {
  const config = (quick_gelu?: boolean) => ({
    model_cfg: {
      embed_dim: 24,
      ...(quick_gelu !== undefined && { quick_gelu }),
      vision_cfg: { image_size: 16, layers: 1, width: 128, patch_size: 8 },
      text_cfg: { context_length: 16, vocab_size: 549, width: 128, heads: 2, layers: 1 },
    },
  })
  const folder = async (quickGelu: boolean | undefined, single?: string) => {
    const { single: _, ...files } = filesWith(
      fixture('openai-vit.pt'),
      new Map<string, string | Uint8Array>([
        ...tokenizer,
        ['open_clip_config.json', JSON.stringify(config(quickGelu))],
        ['open_clip_pytorch_model.bin', fixture('openai-vit.pt')],
      ]),
    )
    return loadClip({ ...files, ...(single !== undefined && { single }) })
  }

  it('are the same model with quick_gelu, and another without', async () => {
    const alone = await loadClip(filesWith(fixture('openai-vit.pt')))
    expect((await folder(true)).fingerprint).toBe(alone.fingerprint)
    expect((await folder(undefined)).config.vision).toMatchObject({ activation: 'gelu' })
    expect((await folder(undefined)).config.text.activation).toBe('gelu')
  })

  it('the configuration counts where the file alone is named', async () => {
    expect((await folder(false, 'open_clip_pytorch_model.bin')).config.text.activation).toBe('gelu')
    expect((await folder(false, 'model.pt')).config.text.activation).toBe('quick_gelu')
  })
})

describe('the tokenizer beside a file', () => {
  // OpenAI's file has more merges than count
  const lines = [
    '"bpe_simple_vocab_16e6.txt#version: 0.2',
    ...tinyTables.merges.map((merge) => merge.join(' ')),
    'x y',
    '',
  ]
  const merges = lines.join('\n')

  it.each([
    ['as text', 'bpe_simple_vocab_16e6.txt', merges],
    ['compressed', 'bpe_simple_vocab_16e6.txt.gz', gzipSync(merges)],
  ])("may be OpenAI's table, %s", async (_, name, content) => {
    const clip = await loadClip(filesWith(fixture('openai-vit.pt'), new Map([[name, content]])))
    expect(clip.tokenizer.tokenize(vit.texts[0] ?? '')).toEqual(vit.tokens[0])
  })

  it('must not be a table of too few merges, or damaged', async () => {
    const short = new Map([['bpe_simple_vocab_16e6.txt', lines.slice(0, 30).join('\n')]])
    await expect(loadClip(filesWith(fixture('openai-vit.pt'), short))).rejects.toThrow(
      /has 29 merges, but a vocabulary of 549 tokens needs 35/,
    )
    const packed = new Map([['bpe_simple_vocab_16e6.txt.gz', gzipSync(merges).subarray(0, 60)]])
    await expect(loadClip(filesWith(fixture('openai-vit.pt'), packed))).rejects.toThrow(
      /dir\/bpe_simple_vocab_16e6\.txt\.gz cannot be unpacked/,
    )
  })

  it('is asked for where there is none', async () => {
    await expect(loadClip(filesWith(fixture('openai-vit.pt'), new Map()))).rejects.toThrow(
      /dir has no tokenizer: looked for vocab\.json with merges\.txt, tokenizer\.json, bpe_simple_vocab_16e6\.txt/,
    )
  })
})

describe('files that are no CLIP of OpenAI', () => {
  const other = (name: string) => loadClip(filesWith(fixture(name)))
  it.each([
    ['tensors.pt', /not one of OpenAI's CLIP files: it has no tensor visual\.layer1\.0\.conv1\.weight/],
    ['module.pt', /not one of OpenAI's CLIP files/],
  ])('%s', async (name, message) => {
    await expect(other(name)).rejects.toThrow(FileError)
    await expect(other(name)).rejects.toThrow(message)
  })

  it('a training checkpoint says nothing of the activation, and is refused', async () => {
    const pickle = '\x80\x02}\x8c\x0astate_dict}s.'
    const bytes = zipOf([{ name: 'm/data.pkl', data: Uint8Array.from(pickle, (letter) => letter.charCodeAt(0)) }])
    await expect(loadClip(filesWith(bytes))).rejects.toThrow(/is a training checkpoint/)
  })
})
