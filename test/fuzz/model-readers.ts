import { gunzipSync, gzipSync } from 'node:zlib'
import { openModel } from '../../src/clip/load.ts'
import type { ModelFiles } from '../../src/clip/model-files.ts'
import { parseTokenizerJson, parseVocabulary } from '../../src/clip/tokenizer/files.ts'
import { htmlUnescape } from '../../src/clip/tokenizer/html-unescape.ts'
import { createTokenizer, type TokenizerTables } from '../../src/clip/tokenizer/tokenizer.ts'
import { huggingFaceNames, originShape } from '../../src/clip/weights/names.ts'
import { writeSafetensors } from '../../src/formats/safetensors.ts'
import { type FloatTensor, floatTensor, sizeOf } from '../../src/graph/tensor.ts'
import { saveOpenClip, tokenizerFiles } from '../../src/lab/pretrain/save.ts'
import { tinyClip, tinyConfig, tinyTables } from '../../src/testing/tiny-clip.ts'
import { decode, encode, json, type Reader, source, textReader } from './reader.ts'
import { openAiSeed, safetensorsHeader } from './tensor-readers.ts'

type Files = ReadonlyMap<string, Uint8Array>

function filesOf(files: Files, single?: string): ModelFiles {
  const bytesOf = (file: string) => files.get(file) ?? new Uint8Array()
  return {
    name: 'model',
    single,
    has: async (file) => files.has(file),
    text: async (file) => decode(bytesOf(file)),
    open: async (file) => source(bytesOf(file), file),
  }
}

const bytesOf = (texts: ReadonlyMap<string, string>): Map<string, Uint8Array> =>
  new Map(Array.from(texts, ([name, text]) => [name, encode(text)]))

const openClipFiles = async (): Promise<Map<string, Uint8Array>> => {
  const { config, weights } = await tinyClip()
  return saveOpenClip(config, weights, tinyTables)
}

/** A ViT's weights by Hugging Face's names; the values mean nothing. */
async function huggingFaceFiles(): Promise<Map<string, Uint8Array>> {
  const { config, weights } = await tinyClip()
  const { text, vision } = tinyConfig()
  if (vision.kind !== 'vit') throw new Error('the tiny CLIP has a ViT')
  const tensors = new Map<string, FloatTensor>()
  for (const [name, { shape }] of weights) {
    const origin = huggingFaceNames.originOf(name)
    const own = originShape(origin, shape)
    for (const each of origin.names) tensors.set(each, floatTensor(own, new Float32Array(sizeOf(own))))
  }
  const tower = (part: typeof text | typeof vision) => ({
    hidden_size: part.width,
    num_attention_heads: part.heads,
    num_hidden_layers: part.layers,
    intermediate_size: part.mlpWidth,
    hidden_act: part.activation,
    layer_norm_eps: part.layerNormEpsilon,
  })
  return new Map([
    ...bytesOf(tokenizerFiles(tinyTables, text)),
    [
      'config.json',
      json({
        model_type: 'clip',
        projection_dim: config.embedDim,
        text_config: { ...tower(text), vocab_size: text.vocabSize, max_position_embeddings: text.contextLength },
        vision_config: { ...tower(vision), image_size: vision.imageSize, patch_size: vision.patchSize },
      }),
    ],
    ['preprocessor_config.json', json(PREPROCESSOR)],
    ['model.safetensors', writeSafetensors(tensors, { format: 'pt' })],
  ])
}

const PREPROCESSOR = {
  do_resize: true,
  size: { shortest_edge: 8 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 8, width: 8 },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.25, 0.25, 0.25],
  do_convert_rgb: true,
  image_processor_type: 'CLIPImageProcessor',
}

/** One file of a model, the others as they should be. */
function modelFile(
  name: string,
  file: string,
  files: () => Promise<Map<string, Uint8Array>>,
  seed: (files: Files) => Uint8Array | undefined = (all) => all.get(file),
  more: Partial<Reader> = { text: true },
): Reader {
  return {
    name,
    ...more,
    async prepare() {
      const all = await files()
      const first = seed(all)
      if (first === undefined) throw new Error(`there is no ${file}`)
      return { seeds: [first], read: (input) => openModel(filesOf(new Map([...all, [file, input]]))) }
    },
  }
}

const without = (file: string, files: () => Promise<Map<string, Uint8Array>>) => async () => {
  const all = await files()
  all.delete(file)
  return all
}

const { vocab, merges } = tinyTables
const mergesText = `#version: 0.2\n${merges.map((pair) => pair.join(' ')).join('\n')}\n`
const vocabText = JSON.stringify(Object.fromEntries(vocab))
const tokenizerJson = JSON.stringify({
  version: '1.0',
  added_tokens: ['<|startoftext|>', '<|endoftext|>'].map((content) => ({
    id: vocab.get(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: true,
  })),
  model: {
    type: 'BPE',
    end_of_word_suffix: '</w>',
    vocab: Object.fromEntries(vocab),
    merges: merges.map((pair) => pair.join(' ')),
  },
})
const HTML = [
  '&amp;',
  '&#38;',
  '&#x1F600;',
  '&notin',
  '&notit;',
  '&#0;',
  '&#x110000;',
  '&#xd800;',
  '&',
  '&;',
  '&#;',
  '&#x;',
]
const TEXTS = [
  'a photo of a dog.',
  "It's 3 naïve cafés & <b>100%</b> of ÅNGSTRÖM",
  '東京タワー 👩‍👩‍👧 مرحبا ﬁ ſ İ',
  'a &amp;amp; b &lt;3 &#39;x&#39; &nbsp; &copy',
]
/** Half a character, which bytes cannot hold. */
const withHalves = (text: string) => text.replaceAll('\ufffd', '\ud83d')

const tokenize = (tables: TokenizerTables, text: string) => {
  const tokenizer = createTokenizer({ ...tables, contextLength: 24, name: 'INPUT' })
  return tokenizer.decode(tokenizer.encode(text))
}

export const modelReaders: readonly Reader[] = [
  modelFile('open_clip configuration', 'open_clip_config.json', openClipFiles),
  modelFile('Hugging Face configuration', 'config.json', huggingFaceFiles),
  modelFile('preprocessor_config.json', 'preprocessor_config.json', huggingFaceFiles),
  modelFile(
    'processor_config.json',
    'processor_config.json',
    without('preprocessor_config.json', huggingFaceFiles),
    () => json({ processor_class: 'CLIPProcessor', image_processor: PREPROCESSOR }),
  ),
  modelFile('model.safetensors', 'model.safetensors', huggingFaceFiles, undefined, { shell: safetensorsHeader }),
  modelFile(
    'index of shards',
    'model.safetensors.index.json',
    async () =>
      new Map(Array.from(await huggingFaceFiles(), ([name, bytes]) => [name.replace('model.', 'model-1.'), bytes])),
    () => json({ metadata: { total_size: 1 }, weight_map: { logit_scale: 'model-1.safetensors' } }),
  ),
  modelFile('vocab.json of a model', 'vocab.json', openClipFiles),
  modelFile(
    'merges of OpenAI, gzip',
    'bpe_simple_vocab_16e6.txt.gz',
    async () => new Map([...(await openClipFiles())].filter(([name]) => name.startsWith('open_clip'))),
    () => gzipSync(mergesText),
    {
      shell: {
        open: (whole) => new Uint8Array(gunzipSync(whole)),
        close: (_, inner) => new Uint8Array(gzipSync(inner)),
      },
    },
  ),
  {
    name: "OpenAI's model file",
    async prepare() {
      const tokenizer = bytesOf(tokenizerFiles(tinyTables, { contextLength: 16 }))
      return {
        seeds: [openAiSeed()],
        read: (input) => openModel(filesOf(new Map([...tokenizer, ['model.pt', input]]), 'model.pt')),
      }
    },
  },
  textReader('tokenizer.json', [tokenizerJson], (text) => tokenize(parseTokenizerJson(text, 'INPUT'), 'a small dog')),
  textReader('vocab.json', [vocabText], (text) =>
    tokenize(parseVocabulary({ vocab: text, merges: mergesText, vocabName: 'V', mergesName: 'M' }), 'a small dog'),
  ),
  textReader('merges.txt', [mergesText], (text) =>
    tokenize(parseVocabulary({ vocab: vocabText, merges: text, vocabName: 'V', mergesName: 'M' }), 'a small dog'),
  ),
  textReader('tokenizer', TEXTS, (text) => tokenize(tinyTables, withHalves(text)), HTML),
  textReader('unescaped HTML', TEXTS, (text) => htmlUnescape(withHalves(text)), HTML),
]
