import { aSource, checkArguments } from '../../base/arguments.ts'
import { FileError } from '../../base/errors.ts'
import type { ByteSource } from '../../formats/safetensors.ts'
import type { ModelFiles } from '../model-files.ts'
import type { TextConfig } from '../types.ts'
import { parseTokenizerJson, parseVocabulary } from './files.ts'
import { createTokenizer, type Tokenizer, type TokenizerTables } from './tokenizer.ts'
import { parseOpenAiMerges } from './vocabulary.ts'

/** Tokens of the vocabulary that all models of OpenAI and most of OpenCLIP share. */
const CLIP_VOCAB_SIZE = 49408

export interface LoadedTokenizer {
  readonly tokenizer: Tokenizer
  /** The file that its vocabulary is from, or what else it is from. */
  readonly name: string
}

interface TokenizerFormat {
  /** All of these must be there. */
  readonly files: readonly string[]
  /** The first of these that is there is read, too. */
  readonly beside?: readonly string[]
  read(names: readonly string[], texts: readonly string[], vocabSize: number): TokenizerTables
  /** The files are compressed. */
  readonly gzip?: boolean
}

const readOpenAi: TokenizerFormat['read'] = ([name = ''], [text = ''], vocabSize) =>
  parseOpenAiMerges(text, name, vocabSize)

/** In the order in which they are looked for. */
const TOKENIZERS: readonly TokenizerFormat[] = [
  {
    files: ['vocab.json', 'merges.txt'],
    beside: ['tokenizer.json', 'added_tokens.json'],
    read: ([vocabName = '', mergesName = '', name = ''], [vocab = '', merges = '', text]) =>
      parseVocabulary({ vocab, merges, vocabName, mergesName, added: text === undefined ? undefined : { text, name } }),
  },
  { files: ['tokenizer.json'], read: ([name = ''], [text = '']) => parseTokenizerJson(text, name) },
  { files: ['bpe_simple_vocab_16e6.txt'], read: readOpenAi },
  { files: ['bpe_simple_vocab_16e6.txt.gz'], read: readOpenAi, gzip: true },
]

/**
 * The tokenizer beside a model, or CLIP's own where there is none and the model has its vocabulary.
 *
 * @param named the repository whose tokenizer the model uses, where its configuration says it
 *
 * Throws FileError when there is none, or when it has ids that the text tower does not know.
 */
export async function loadTokenizer(
  files: ModelFiles,
  { contextLength, vocabSize }: Pick<TextConfig, 'contextLength' | 'vocabSize'>,
  named?: string,
): Promise<LoadedTokenizer> {
  const { tables, name } = (await tablesBeside(files, vocabSize)) ?? (await ownTables(files, vocabSize, named))
  checkVocabulary(name, tables.vocab, vocabSize)
  return { tokenizer: createTokenizer({ ...tables, contextLength, name }), name }
}

interface NamedTables {
  readonly tables: TokenizerTables
  readonly name: string
}

async function tablesBeside(files: ModelFiles, vocabSize: number): Promise<NamedTables | undefined> {
  for (const layout of TOKENIZERS) {
    const there = await Promise.all(layout.files.map((file) => files.has(file)))
    if (!there.every(Boolean)) continue
    const beside: string[] = []
    for (const file of layout.beside ?? []) if (beside.length === 0 && (await files.has(file))) beside.push(file)
    const all = [...layout.files, ...beside]
    const names = all.map((file) => `${files.name}/${file}`)
    const texts = await Promise.all(
      all.map(async (file) => (layout.gzip ? unzipped(await files.open(file)) : files.text(file))),
    )
    return { tables: layout.read(names, texts, vocabSize), name: names[0] ?? '' }
  }
  return undefined
}

/** Repositories whose tokenizer is CLIP's own. */
const CLIP_TOKENIZER = /^(openai|laion)\/clip-vit-/i

async function ownTables(files: ModelFiles, vocabSize: number, named?: string): Promise<NamedTables> {
  if (vocabSize === CLIP_VOCAB_SIZE && named !== undefined && !CLIP_TOKENIZER.test(named)) {
    throw new FileError(
      `${files.name}: its configuration says that the tokenizer is ${JSON.stringify(named)} (hf_tokenizer_name), but it has no tokenizer files`,
      'copy tokenizer.json, or vocab.json with merges.txt, of that tokenizer into the folder of the weights',
    )
  }
  if (vocabSize === CLIP_VOCAB_SIZE && files.clipTables) {
    return { tables: await files.clipTables(), name: "CLIP's own vocabulary" }
  }
  throw new FileError(
    `${files.name} has no tokenizer: looked for ${TOKENIZERS.map((layout) => layout.files.join(' with ')).join(', ')}`,
    vocabSize === CLIP_VOCAB_SIZE
      ? "copy the model's tokenizer files into the folder of its weights; OpenAI's and most OpenCLIP models use those of openai/clip-vit-base-patch32"
      : `copy the model's tokenizer files into the folder of its weights: with ${vocabSize} tokens they are not CLIP's own (${CLIP_VOCAB_SIZE})`,
  )
}

/** CLIP's own vocabulary: `models/clip-merges.txt.gz` of this package, by path or by URL. Throws FileError naming it. */
export async function readClipTables(source: ByteSource): Promise<TokenizerTables> {
  checkArguments('readClipTables', { source }, { source: aSource })
  return parseOpenAiMerges(await unzipped(source), source.name, CLIP_VOCAB_SIZE)
}

/** OpenAI's table has 3 MB. */
const MAX_UNZIPPED = 64 << 20

async function unzipped(source: ByteSource): Promise<string> {
  const packed = new Uint8Array(await source.read(0, source.size))
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text
      text += decoder.decode(value, { stream: true })
      if (text.length > MAX_UNZIPPED) throw new Error(`it unpacks to more than ${MAX_UNZIPPED} bytes`)
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileError(`${source.name} cannot be unpacked: ${why}`, 'download the file again', { cause })
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function checkVocabulary(name: string, vocab: ReadonlyMap<string, number>, vocabSize: number): void {
  for (const [token, id] of vocab) {
    if (id < vocabSize) continue
    throw new FileError(
      `${name}: the token ${JSON.stringify(token)} has the id ${id}, but the configuration has ${vocabSize} tokens`,
      'use the tokenizer and configuration of the same model',
    )
  }
}
