import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTokenizer, type TokenizerTables } from '../src/clip/tokenizer/tokenizer.ts'
import { imageProjection, imageTrunk } from '../src/clip/towers/image-tower.ts'
import { pack } from '../src/clip/towers/packing.ts'
import { textTower } from '../src/clip/towers/text-tower.ts'
import type { ClipConfig, Weights } from '../src/clip/types.ts'
import { constantParameters, weightOf } from '../src/clip/weights/parameters.ts'
import { preprocessing } from '../src/exports/preprocessing.ts'
import { transformersConfigs } from '../src/exports/transformers.ts'
import { add, Graph, gather, l2Normalise, matmul, type Program, program, reshape, slice } from '../src/graph/index.ts'
import { encodeOnnxFile } from '../src/graph/onnx.ts'
import { tokenizerFiles } from '../src/lab/pretrain/save.ts'
import { DEFAULT_TRANSFORMS } from '../src/pictures/transforms.ts'

/**
 * A CLIP as @huggingface/transformers opens it (both towers in one ONNX file), for batches of so many pictures and for these
 * prompts, which have as many tokens each.
 */
export async function saveTransformersModel(
  folder: string,
  config: ClipConfig,
  weights: Weights,
  tables: TokenizerTables,
  { batch, prompts }: { readonly batch: number; readonly prompts: readonly string[] },
): Promise<void> {
  const { contextLength } = config.text
  const tokenizer = createTokenizer({ ...tables, contextLength })
  const lengths = new Set(prompts.map((prompt) => tokenizer.tokenize(prompt).length))
  const [length = 0] = lengths
  if (lengths.size !== 1) throw new Error('the prompts have different numbers of tokens')
  const onnx = encodeOnnxFile(bothTowers(config, weights, batch, prompts.length, length))
  const about = preprocessing(config.preprocess, DEFAULT_TRANSFORMS, 'ignore')
  const processor = transformersConfigs(config, [], about).get('preprocessor_config.json')
  const files: Record<string, string | Uint8Array> = {
    ...Object.fromEntries(tokenizerFiles(tables, config.text)),
    'onnx/model.onnx': onnx,
    'config.json': JSON.stringify({ model_type: 'clip', architectures: ['CLIPModel'] }),
    'preprocessor_config.json': JSON.stringify(processor),
    'tokenizer.json': JSON.stringify(tokenizerJson(tables, tokenizer.startToken, tokenizer.endToken)),
  }
  await mkdir(join(folder, 'onnx'), { recursive: true })
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content)
}

/** `input_ids` `(texts, length)`, `pixel_values` `(batch, 3, size, size)` -> `logits_per_image` `(batch, texts)`. */
function bothTowers(config: ClipConfig, weights: Weights, batch: number, texts: number, length: number): Program {
  const { text, embedDim, preprocess } = config
  const graph = new Graph()
  const ids = graph.input('input_ids', [texts, length], 'int64')
  const pixels = graph.input('pixel_values', [batch, 3, preprocess.size, preprocess.size])
  const p = constantParameters(graph, weights)
  const places = Array.from({ length }, (_, i) => i)
  const packing = pack(
    Array.from({ length: texts }, (_, c) => places.map((i) => c * length + i)),
    false,
  )
  const words = gather(p('token_embedding.weight', [text.vocabSize, text.width]), reshape(ids, [texts * length]))
  const positions = slice(p('positional_embedding', [text.contextLength, text.width]), 0, 0, length)
  const x = reshape(add(reshape(words, [texts, length, text.width]), positions), [texts * length, text.width])
  const textFeatures = l2Normalise(textTower(p, text, embedDim, packing, x))
  const imageFeatures = l2Normalise(imageProjection(p, config, imageTrunk(p, config, pixels)))
  const alpha = Math.exp(weightOf(weights, 'logit_scale').data[0] ?? 0)
  return program(graph, { logits_per_image: matmul(imageFeatures, textFeatures, { transB: true, alpha }) })
}

/** CLIP's tokenizer as the library of that name has it. */
function tokenizerJson({ vocab, merges }: TokenizerTables, start: number, end: number): object {
  const special = (content: string, id: number) => ({ id, content, special: true, normalized: false })
  return {
    version: '1.0',
    added_tokens: [special('<|startoftext|>', start), special('<|endoftext|>', end)],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
          behavior: 'Removed',
          invert: true,
        },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      cls: ['<|startoftext|>', start],
      sep: ['<|endoftext|>', end],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: '<|endoftext|>',
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      vocab: Object.fromEntries(vocab),
      merges: merges.map((pair) => pair.join(' ')),
    },
  }
}
