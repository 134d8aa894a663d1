import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { bytesSource, writeSafetensors } from '../formats/safetensors.ts'
import { type FloatTensor, floatTensor, sizeOf } from '../graph/tensor.ts'
import { trainBpe } from '../lab/pretrain/bpe-training.ts'
import { saveOpenClip, tokenizerFiles } from '../lab/pretrain/save.ts'
import { folderModelFiles } from '../node/files.ts'
import { loadClip, type ModelFiles, makeClip } from './load.ts'
import type { ClipConfig, Weights } from './types.ts'
import { expectedTensors } from './weights/expected.ts'
import { huggingFaceNames, originShape } from './weights/names.ts'

const tables = trainBpe(['a photo of a dog', 'a photo of a cat'], 20)

const vit: ClipConfig = {
  embedDim: 6,
  text: {
    vocabSize: tables.vocab.size,
    contextLength: 9,
    width: 8,
    heads: 2,
    layers: 2,
    mlpWidth: 32,
    activation: 'gelu',
    layerNormEpsilon: 1e-5,
  },
  vision: {
    kind: 'vit',
    imageSize: 8,
    patchSize: 4,
    width: 12,
    heads: 3,
    layers: 1,
    mlpWidth: 30,
    activation: 'gelu',
    layerNormEpsilon: 1e-6,
  },
  preprocess: { size: 8, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
}
const resNet: ClipConfig = {
  ...vit,
  vision: { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 2, 1, 1], heads: 8 },
  preprocess: { ...vit.preprocess, size: 32 },
}

/** Weights that float16 holds exactly, a different number at every place. */
function someWeights(config: ClipConfig): Weights {
  let next = 0
  return new Map(
    Array.from(expectedTensors(config), ([name, shape]) => {
      const data = Float32Array.from({ length: sizeOf(shape) }, () => (next++ % 2039) / 64 - 8)
      return [name, floatTensor(shape, data)]
    }),
  )
}

/** Names of tensors that only one has, or whose shape or values differ. */
function differing(a: Weights, b: Weights): string[] {
  const same = (x: FloatTensor | undefined, y: FloatTensor | undefined) =>
    x !== undefined &&
    y !== undefined &&
    `${x.shape}` === `${y.shape}` &&
    x.data.every((value, i) => value === y.data[i])
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => !same(a.get(name), b.get(name)))
}

/** Names of tensors that threads would not share. */
const unshared = (weights: Weights) =>
  [...weights].flatMap(([name, { data }]) => (data.buffer instanceof SharedArrayBuffer ? [] : [name]))

type Files = Map<string, Uint8Array | string>

function memoryFiles(files: Files): ModelFiles {
  const bytesOf = (file: string) => {
    const content = files.get(file)
    if (content === undefined) throw new Error(`unchecked read of ${file}`)
    return typeof content === 'string' ? new TextEncoder().encode(content) : content
  }
  return {
    name: 'model',
    has: async (file) => files.has(file),
    text: async (file) => new TextDecoder().decode(bytesOf(file)),
    open: async (file) => bytesSource(`model/${file}`, bytesOf(file)),
  }
}

/** The tensors of a ViT under Hugging Face's names, taken apart and turned by hand. */
function huggingFaceTensors(weights: Weights): Map<string, FloatTensor> {
  const tensors = new Map<string, FloatTensor>()
  for (const [canonical, tensor] of weights) {
    const source = huggingFaceNames.originOf(canonical)
    const shape = originShape(source, tensor.shape)
    for (const [part, name] of source.names.entries()) {
      const data = tensor.data.slice(part * sizeOf(shape), (part + 1) * sizeOf(shape))
      const [rows = 0, columns = 0] = shape
      if (source.change === 'transpose') {
        for (let i = 0; i < data.length; i++) data[i] = tensor.data[(i % columns) * rows + Math.floor(i / columns)]!
      }
      tensors.set(name, floatTensor(shape, data))
    }
  }
  return tensors
}

function huggingFaceFiles(tensors: Map<string, FloatTensor>, dtype: 'float32' | 'float16' = 'float32'): Files {
  const { text, vision } = vit
  if (vision.kind !== 'vit') throw new Error('a ViT is wanted')
  const tower = (part: typeof text | typeof vision) => ({
    hidden_size: part.width,
    num_attention_heads: part.heads,
    num_hidden_layers: part.layers,
    intermediate_size: part.mlpWidth,
    hidden_act: part.activation,
    layer_norm_eps: part.layerNormEpsilon,
  })
  return new Map<string, Uint8Array | string>([
    ...tokenizerFiles(tables, text),
    [
      'config.json',
      JSON.stringify({
        model_type: 'clip',
        projection_dim: vit.embedDim,
        text_config: { ...tower(text), vocab_size: text.vocabSize, max_position_embeddings: text.contextLength },
        vision_config: { ...tower(vision), image_size: vision.imageSize, patch_size: vision.patchSize },
      }),
    ],
    [
      'preprocessor_config.json',
      JSON.stringify({ size: 8, crop_size: 8, image_mean: vit.preprocess.mean, image_std: vit.preprocess.std }),
    ],
    ['model.safetensors', writeSafetensors(tensors, { format: 'pt' }, { dtype })],
  ])
}

const openClipFiles = (config: ClipConfig, dtype: 'float32' | 'float16' = 'float32'): Files =>
  new Map(saveOpenClip(config, someWeights(config), tables, { dtype }))

describe('layouts', () => {
  it.each([
    ['ViT', vit],
    ['ModifiedResNet', resNet],
  ])('OpenCLIP, %s: gives back what was saved, float32 and float16', async (_, config) => {
    const clip = await loadClip(memoryFiles(openClipFiles(config)))
    expect(clip.config).toEqual(config)
    expect(differing(clip.weights, someWeights(config))).toEqual([])
    expect(clip.tokenizer.decode(clip.tokenizer.encode('A photo'))).toBe('a photo')
    expect(clip.tokenizer.contextLength).toBe(9)
    const half = await loadClip(memoryFiles(openClipFiles(config, 'float16')))
    expect(differing(half.weights, clip.weights)).toEqual([])
    expect(half.fingerprint).toBe(clip.fingerprint)
  })

  it('Hugging Face: the same model has the same weights and fingerprint', async () => {
    const open = await loadClip(memoryFiles(openClipFiles(vit)))
    const files = huggingFaceFiles(huggingFaceTensors(someWeights(vit)), 'float16')
    const clip = await loadClip(memoryFiles(files))
    expect(clip.config).toEqual(vit)
    expect(differing(clip.weights, open.weights)).toEqual([])
    expect(clip.fingerprint).toBe(open.fingerprint)
  })

  it('Hugging Face in shards, and with tables of positions', async () => {
    const tensors = [...huggingFaceTensors(someWeights(vit))]
    const whole = await loadClip(memoryFiles(huggingFaceFiles(new Map(tensors))))
    const files = huggingFaceFiles(new Map())
    files.delete('model.safetensors')
    const half = tensors.length / 2
    const positions = floatTensor([1, 9])
    const shards = [
      tensors.slice(0, half),
      [...tensors.slice(half), ['text_model.embeddings.position_ids', positions] as const],
    ]
    const map: Record<string, string> = {}
    for (const [i, shard] of shards.entries()) {
      const file = `model-0000${i + 1}-of-00002.safetensors`
      files.set(file, writeSafetensors(new Map(shard)))
      for (const [name] of shard) map[name] = file
    }
    files.set('model.safetensors.index.json', JSON.stringify({ metadata: {}, weight_map: map }))
    expect((await loadClip(memoryFiles(files))).fingerprint).toBe(whole.fingerprint)

    files.delete('model-00002-of-00002.safetensors')
    await expect(loadClip(memoryFiles(files))).rejects.toThrow(/shard model-00002-of-00002\.safetensors .* is missing/)
    files.set('model.safetensors.index.json', JSON.stringify({ weight_map: { a: '../secret.safetensors' } }))
    await expect(loadClip(memoryFiles(files))).rejects.toThrow(/shards are \.safetensors files in the same folder/)
  })

  it('every layout and type: weights lie in shared memory, with the fingerprint that they have elsewhere', async () => {
    const clip = await loadClip(memoryFiles(openClipFiles(vit)))
    const half = await loadClip(memoryFiles(openClipFiles(resNet, 'float16')))
    const huggingFace = await loadClip(memoryFiles(huggingFaceFiles(huggingFaceTensors(someWeights(vit)))))
    for (const { weights } of [clip, half, huggingFace]) expect(unshared(weights)).toEqual([])
    const { fingerprint } = await makeClip(vit, someWeights(vit), clip.tokenizer)
    expect(clip.fingerprint).toBe(fingerprint)
  })

  it('a changed weight or mean changes the fingerprint', async () => {
    const weights = new Map(someWeights(vit))
    const { fingerprint } = await loadClip(memoryFiles(openClipFiles(vit)))
    weights.set('logit_scale', floatTensor([], Float32Array.of(3)))
    const other = await loadClip(memoryFiles(new Map(saveOpenClip(vit, weights, tables, { dtype: 'float32' }))))
    const mean = await loadClip(
      memoryFiles(openClipFiles({ ...vit, preprocess: { ...vit.preprocess, mean: [0.1, 0.2, 0.4] } })),
    )
    expect(new Set([fingerprint, other.fingerprint, mean.fingerprint]).size).toBe(3)
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('models that do not fit', () => {
  const failing = async (files: Files) => {
    const error = await loadClip(memoryFiles(files)).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    expect(error).toBeInstanceOf(FileError)
    return error instanceof FileError ? error.message : ''
  }

  it('lists missing, misshapen and unexpected tensors at once', async () => {
    const tensors = huggingFaceTensors(someWeights(vit))
    tensors.delete('text_model.encoder.layers.1.self_attn.k_proj.weight')
    tensors.delete('logit_scale')
    tensors.set('text_projection.weight', floatTensor([8, 6]))
    tensors.set('vision_model.encoder.layers.1.layer_norm1.bias', floatTensor([12]))
    tensors.set('module.logit_scale', floatTensor([]))
    expect(
      await failing(huggingFaceFiles(tensors)),
    ).toBe(`model/model.safetensors does not have the tensors that its configuration describes
  missing (2):
    logit_scale ()
    text_model.encoder.layers.1.self_attn.k_proj.weight (8, 8)
  misshapen (1):
    text_projection.weight: expected (6, 8), found (8, 6)
  unexpected (2):
    module.logit_scale
    vision_model.encoder.layers.1.layer_norm1.bias`)
  })

  it('names a tensor with values that are no numbers', async () => {
    const tensors = huggingFaceTensors(someWeights(vit))
    tensors.set('logit_scale', floatTensor([], Float32Array.of(Number.NaN)))
    expect(await failing(huggingFaceFiles(tensors))).toMatch(
      /model\.safetensors: tensor "logit_scale" has values that are not finite/,
    )
  })

  it('says which files were looked for', async () => {
    expect(
      await failing(
        new Map([
          ['config.json', '{}'],
          ['flax_model.msgpack', ''],
        ]),
      ),
    ).toMatch(
      /open_clip_config\.json with open_clip_model\.safetensors or .*config\.json with model\.safetensors or model\.safetensors\.index\.json/,
    )
    const files = openClipFiles(vit)
    files.delete('merges.txt')
    expect(await failing(files)).toBe(
      'model has no tokenizer: looked for vocab.json with merges.txt, tokenizer.json, bpe_simple_vocab_16e6.txt, bpe_simple_vocab_16e6.txt.gz',
    )
  })

  it("refuses CLIP's own vocabulary where the configuration names another tokenizer", async () => {
    const named = async (name: string) => {
      const files = openClipFiles({ ...vit, text: { ...vit.text, vocabSize: 49408 } })
      for (const file of ['vocab.json', 'merges.txt']) files.delete(file)
      const config = new TextDecoder().decode(Buffer.from(files.get('open_clip_config.json') ?? ''))
      files.set('open_clip_config.json', config.replace('"local"', JSON.stringify(name)))
      const clipTables = async () => tables
      return loadClip({ ...memoryFiles(files), clipTables }).then(
        () => 'loaded',
        (error: Error) => error.message,
      )
    }
    expect(await named('google/canine-s')).toBe(
      'model: its configuration says that the tokenizer is "google/canine-s" (hf_tokenizer_name), but it has no tokenizer files',
    )
    expect(await named('openai/clip-vit-base-patch32')).toBe('loaded')
  })

  it('says that a model is there as ONNX only', async () => {
    for (const file of ['model.onnx', 'onnx/vision_model.onnx']) {
      expect(
        await failing(
          new Map([
            ['config.json', '{}'],
            [file, ''],
          ]),
        ),
      ).toBe(`model has the model as ONNX only (${file}); coop-ts needs its weights`)
    }
  })

  it('refuses needed tensors of types that are not read, before any is read, and no others', async () => {
    const files = huggingFaceFiles(huggingFaceTensors(someWeights(vit)))
    const retyped = (tensor: string) => {
      const bytes = Buffer.from(files.get('model.safetensors') ?? '')
      const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0)))
      const entry = header.indexOf(`"${tensor}":{"dtype":"F32"`)
      bytes.write('U32', 8 + entry + `"${tensor}":{"dtype":"`.length)
      return new Map(files).set('model.safetensors', bytes)
    }
    expect(await failing(retyped('logit_scale'))).toMatch(
      /of a type that is not supported; .* \(1\):\n {4}logit_scale: U32/,
    )
    const more = huggingFaceTensors(someWeights(vit)).set('text_model.embeddings.position_ids', floatTensor([1, 9]))
    files.set('model.safetensors', writeSafetensors(more))
    await loadClip(memoryFiles(retyped('text_model.embeddings.position_ids')))
  })

  it('refuses a vocabulary with ids that the text tower does not have', async () => {
    const files = openClipFiles(vit)
    const config = openClipFiles({ ...vit, text: { ...vit.text, vocabSize: vit.text.vocabSize - 1 } })
    files.set('open_clip_config.json', config.get('open_clip_config.json') ?? '')
    expect(await failing(files)).toMatch(
      /vocab\.json: the token "<\|endoftext\|>" has the id \d+, but the configuration has \d+ tokens/,
    )
  })

  it('fails on a file that is cut short', async () => {
    const files = openClipFiles(vit)
    const weights = files.get('open_clip_model.safetensors')
    files.set('open_clip_model.safetensors', weights?.slice(0, -1) ?? '')
    expect(await failing(files)).toMatch(/open_clip_model\.safetensors is not a valid safetensors file: .*truncated/)
  })
})

const golden = fileURLToPath(new URL('../../../shared/golden', import.meta.url))
it.skipIf(!existsSync(golden))('loads the two models of the golden folder (skipped where it is missing)', async () => {
  const models = await Promise.all(['vit', 'rn'].map((model) => loadClip(folderModelFiles(`${golden}/${model}`))))
  expect(models.map(({ config }) => config.vision.kind)).toEqual(['vit', 'resnet'])
})
