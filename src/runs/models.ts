import { join } from 'node:path'
import type { Hooks } from '../base/progress.ts'
import {
  architectureOf,
  KNOWN_MODELS,
  type KnownModel,
  MODEL_WORDS,
  parametersOf,
  type ZeroShotScores,
} from '../clip/known-models.ts'
import { openModel as openFiles, readClipConfig } from '../clip/load.ts'
import { pictureWork } from '../clip/picture-work.ts'
import type { Activation, ClipConfig } from '../clip/types.ts'
import { fileHash } from '../node/content-hash.ts'
import { folderModelFiles, modelFilesAt } from '../node/files.ts'
import { BUNDLED, bundledModel } from '../node/package.ts'
import { resolveModel } from './model-word.ts'

/** Sizes of a model, as lists show them. */
export interface ModelSizes {
  /** `RN50`, `ViT-B/16` ...; undefined when it is none of the known ones. */
  readonly architecture: string | undefined
  readonly parameters: number
  /** Of its values as float32, which is how they are held. */
  readonly megabytes: number
  /** Of the image tower for one picture: 10^9 additions and multiplications. */
  readonly gflop: number
  readonly embedDim: number
  readonly imageSize: number
  /** Values of a context vector. */
  readonly textWidth: number
  readonly activation: Activation
}

export interface ListedModel extends ModelSizes {
  /** What --model takes. */
  readonly id: string
  /** `fast`, `good` or `best`, which --model takes as well. */
  readonly word?: string
  /** Name of OpenAI's own file of it, which --model takes as well. */
  readonly file?: string
  /** Licence of its weights, where it is known. */
  readonly licence?: string
  /** How good it is without learning, where that is known. */
  readonly scores?: ZeroShotScores
  readonly maker: KnownModel['maker'] | 'coop-ts'
}

/** The models that are known, those of the paper first, the bundled one last. */
export async function listModels(): Promise<ListedModel[]> {
  const known = KNOWN_MODELS.map(({ id, maker, release, licence, scores, config }) => ({
    id,
    word: Object.entries(MODEL_WORDS).find(([, model]) => model === id)?.[0],
    file: release?.file,
    maker,
    licence,
    scores,
    ...sizesOf(config),
  }))
  const config = await readClipConfig(folderModelFiles(bundledModel()), 'open_clip_config.json')
  return [...known, { id: BUNDLED, maker: 'coop-ts', ...sizesOf(config) }]
}

export interface CheckedModel extends ModelSizes {
  /** A word for it from anywhere: an absolute path, or a hub id with its commit. */
  readonly name: string
  /** How its files are laid out: `OpenCLIP`, `Hugging Face`, `OpenAI`. */
  readonly layout: string
  /** Types of its floating-point values, the most frequent first. */
  readonly precision: readonly string[]
  readonly tensors: number
  /** Where its vocabulary is from. */
  readonly tokenizer: string
  readonly vocabulary: number
  readonly contextLength: number
  /** OpenAI's own file that it is, by its checksum; undefined for a model that is not of one file. */
  readonly release: string | 'other' | undefined
  readonly config: ClipConfig
}

/**
 * Says what a model is, after checking that configuration, tokenizer and all tensors are there and fit one another.
 * Their values are not read. Throws FileError or HubError with what is wrong.
 */
export async function checkModel(word: string, hooks: Hooks): Promise<CheckedModel> {
  const { files: place, name, path = name } = await resolveModel(word, hooks)
  const files = await modelFilesAt(place)
  const { format, config, checkpoint, tokenizer } = await openFiles(files)
  const isFile = files.single !== undefined && format === 'OpenAI'
  return {
    name: path,
    layout: format,
    ...sizesOf(config),
    precision: precisionOf(checkpoint.tensors),
    tensors: checkpoint.tensors.size,
    tokenizer: tokenizer.name,
    vocabulary: config.text.vocabSize,
    contextLength: config.text.contextLength,
    release: isFile ? await releaseOf(join(files.name, files.single ?? '')) : undefined,
    config,
  }
}

function sizesOf(config: ClipConfig): ModelSizes {
  const parameters = parametersOf(config)
  return {
    architecture: architectureOf(config),
    parameters,
    megabytes: Math.round((parameters * 4) / 1e6),
    gflop: Number((pictureWork(config) / 1e9).toFixed(2)),
    embedDim: config.embedDim,
    imageSize: config.vision.imageSize,
    textWidth: config.text.width,
    activation: config.text.activation,
  }
}

const FLOATS: Readonly<Record<string, string>> = { F16: 'float16', BF16: 'bfloat16', F32: 'float32', F64: 'float64' }

type CheckpointTensors = Awaited<ReturnType<typeof openFiles>>['checkpoint']['tensors']

function precisionOf(tensors: CheckpointTensors): string[] {
  const counts = new Map<string, number>()
  for (const [name, file] of tensors) {
    const about = file.entries.get(name)
    const precision = about && FLOATS[about.dtype]
    if (about === undefined || precision === undefined) continue
    const values = about.shape.reduce((product, n) => product * n, 1)
    counts.set(precision, (counts.get(precision) ?? 0) + values)
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([precision]) => precision)
}

async function releaseOf(path: string): Promise<string> {
  const sha256 = await fileHash(path)
  return KNOWN_MODELS.find(({ release }) => release?.sha256 === sha256)?.release?.file ?? 'other'
}
