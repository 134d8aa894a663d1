import { z } from 'zod'
import { checkArguments, withMembers } from '../base/arguments.ts'
import { FileError } from '../base/errors.ts'
import { parseJson } from '../formats/json.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { mapOf, readSchema } from '../formats/schema.ts'
import type { TensorFile } from '../formats/tensor-file.ts'
import { itemOf, namedTensors, openTorchFile, PyDict, tensorFile } from '../formats/torch-file/index.ts'
import { type ConfigFile, openClipTokenizer, parseHuggingFaceConfig, parseOpenClipConfig } from './config/index.ts'
import { openAiConfig } from './config/openai.ts'
import { sameButHeads } from './known-models.ts'
import type { ModelFiles } from './model-files.ts'
import { type LoadedTokenizer, loadTokenizer } from './tokenizer/load.ts'
import type { Tokenizer } from './tokenizer/tokenizer.ts'
import type { Clip, ClipConfig, Weights } from './types.ts'
import { type Checkpoint, checkpointOf, checkTensors, readWeights } from './weights/checkpoint.ts'
import { expectedTensors } from './weights/expected.ts'
import { fingerprintOf } from './weights/fingerprint.ts'
import { huggingFaceNames, type Naming, openClipNames } from './weights/names.ts'
import { SmallWeights } from './weights/small-weights.ts'

export type { ModelFiles } from './model-files.ts'

/** A way to lay out a model's files: what its configuration says, where its weights are, how tensors are called. */
interface ModelFormat {
  readonly title: string
  readonly config: string
  /** Files of weights, the first that is there is taken; `.index.json` lists shards, `.bin` is written by torch.save. */
  readonly weights: readonly string[]
  readonly names: Naming
  readConfig(files: ModelFiles): Promise<ClipConfig>
  /** The repository whose tokenizer it uses, where it says it. */
  tokenizerName?(files: ModelFiles): Promise<string | undefined>
}

const FORMATS: readonly ModelFormat[] = [
  {
    title: 'OpenCLIP',
    config: 'open_clip_config.json',
    weights: ['open_clip_model.safetensors', 'open_clip_pytorch_model.safetensors', 'open_clip_pytorch_model.bin'],
    names: openClipNames,
    readConfig: async (files) => parseOpenClipConfig(await configFile(files, 'open_clip_config.json')),
    tokenizerName: async (files) => openClipTokenizer(await configFile(files, 'open_clip_config.json')),
  },
  {
    title: 'Hugging Face',
    config: 'config.json',
    weights: ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin'],
    names: huggingFaceNames,
    async readConfig(files) {
      const optional = async (file: string) => ((await files.has(file)) ? configFile(files, file) : undefined)
      return parseHuggingFaceConfig(await configFile(files, 'config.json'), {
        preprocessor: await optional('preprocessor_config.json'),
        processor: await optional('processor_config.json'),
      })
    },
  },
]

/** The files by which each format is known: its configuration, and its weights in the order in which they are looked for. */
export const FORMAT_FILES: readonly Pick<ModelFormat, 'config' | 'weights'>[] = FORMATS

/** Files beside `config.json` that say how pictures are preprocessed; models have one of them, both or none. */
export const PROCESSOR_FILES: readonly string[] = ['preprocessor_config.json', 'processor_config.json']

/** The configuration in a format's file, before there are weights. Throws FileError as loadClip does. */
export async function readClipConfig(files: ModelFiles, config: string): Promise<ClipConfig> {
  const format = FORMATS.find((format) => format.config === config)
  if (format === undefined) throw new Error(`no format has its configuration in ${config}`)
  return format.readConfig(files)
}

/** The files that a sharded checkpoint's index names. Throws FileError when it is no index. */
export function shardsOf(text: string, name: string): string[] {
  const index = readSchema(indexSchema, parseJson(text, name), name)
  return [...new Set(index.weight_map.values())].sort()
}

/** A model whose files were found and fit one another; its values are not read yet. */
export interface OpenedModel {
  /** Name of the format. */
  readonly format: string
  readonly config: ClipConfig
  readonly tokenizer: LoadedTokenizer
  readonly checkpoint: Checkpoint
  readonly names: Naming
}

const aModelFiles = withMembers("a model's files, as folderModelFiles gives them", 'name', 'has', 'text', 'open')

/**
 * Loads a CLIP in the Hugging Face or the OpenCLIP format, or one of OpenAI's files, weights as float32 (where the
 * files ask for it, those of float16 as they are), in memory or, of safetensors on a disk, when they are asked for.
 * Throws FileError when files are missing, damaged, unsupported or do not fit one another.
 */
export async function loadClip(files: ModelFiles): Promise<Clip> {
  checkArguments('loadClip', { files }, { files: aModelFiles })
  const { config, tokenizer, checkpoint, names } = await openModel(files)
  const weights = files.small ? new SmallWeights() : new Map()
  await readWeights(checkpoint, expectedTensors(config), names, weights)
  const compute = () => fingerprintOf(config, weights, files.hash)
  return {
    config,
    weights,
    tokenizer: tokenizer.tokenizer,
    fingerprint: await (files.fingerprint?.(compute, { config, weights }) ?? compute()),
  }
}

/** All of loadClip but the values: configuration, tokenizer, names and shapes of tensors. Throws as loadClip does. */
export async function openModel(files: ModelFiles): Promise<OpenedModel> {
  const { single } = files
  const isAlone = single !== undefined && !(await isPartOfModel(files, single))
  const opened = isAlone ? await openOpenAi(files, single) : await openFormat(files)
  const tokenizer = await loadTokenizer(files, opened.config.text, opened.tokenizerName)
  checkTensors(opened.checkpoint, expectedTensors(opened.config), opened.names)
  return { ...opened, tokenizer }
}

/** Whether a file is the weights of a model whose configuration is in the same folder. */
async function isPartOfModel(files: ModelFiles, file: string): Promise<boolean> {
  const format = FORMATS.find(({ weights }) => weights.includes(file))
  return format !== undefined && files.has(format.config)
}

interface Opened extends Omit<OpenedModel, 'tokenizer'> {
  /** The repository whose tokenizer the configuration names. */
  readonly tokenizerName?: string
}

async function openFormat(files: ModelFiles): Promise<Opened> {
  const { format, weightsFile } = await findFormat(files)
  const config = await format.readConfig(files)
  return {
    format: format.title,
    config,
    checkpoint: await openCheckpoint(files, weightsFile),
    names: format.names,
    tokenizerName: await format.tokenizerName?.(files),
  }
}

/** One of OpenAI's files: its configuration follows from its tensors. */
async function openOpenAi(files: ModelFiles, file: string): Promise<Opened> {
  const name = pathOf(files, file)
  const torch = await openTorchFile(await files.open(file))
  const wrapped = itemOf(torch.root, 'state_dict')
  if (wrapped instanceof PyDict) throw wrongCheckpoint(name, wrapped)
  const tensors = tensorFile(torch, namedTensors(torch))
  const config = openAiConfig(name, tensors.entries)
  const other = sameButHeads(config)
  if (other !== undefined) {
    throw new FileError(
      `${name} has the tensors of ${other.maker}'s ${other.architecture}, whose number of heads does not follow OpenAI's rule`,
      `give the folder of the model with its configuration, or the model (--model) ${other.id}`,
    )
  }
  return { format: 'OpenAI', config, checkpoint: checkpointOf(name, [tensors]), names: openClipNames }
}

/** A training checkpoint is no model by itself; people give two kinds of them. */
function wrongCheckpoint(name: string, { entries }: PyDict): FileError {
  if (entries.has('ctx')) {
    return new FileError(
      `${name} is a learned prompt of the official CoOp code, not a CLIP`,
      `make a run from it: coop-ts import ${name}`,
    )
  }
  return new FileError(
    `${name} is a training checkpoint (it has a "state_dict"), which does not say what its model computes`,
    'put it into a folder as open_clip_pytorch_model.bin, with the open_clip_config.json of its model, and give the folder',
  )
}

/** A Clip from its parts: computes the fingerprint. */
export async function makeClip(config: ClipConfig, weights: Weights, tokenizer: Tokenizer): Promise<Clip> {
  return { config, weights, tokenizer, fingerprint: await fingerprintOf(config, weights) }
}

/** Safetensors of any format go before files of torch. */
async function findFormat(files: ModelFiles): Promise<{ format: ModelFormat; weightsFile: string }> {
  for (const isWanted of [(file: string) => !isTorch(file), isTorch]) {
    for (const format of FORMATS) {
      if (!(await files.has(format.config))) continue
      for (const weightsFile of format.weights.filter(isWanted)) {
        if (await files.has(weightsFile)) return { format, weightsFile }
      }
    }
  }
  for (const file of ONNX_FILES) {
    if (!(await files.has(file))) continue
    throw new FileError(
      `${files.name} has the model as ONNX only (${file}); coop-ts needs its weights`,
      'download the weights of the model (model.safetensors or pytorch_model.bin), with config.json, from where the ONNX files were made',
    )
  }
  const wanted = FORMATS.map(({ config, weights }) => `${config} with ${weights.join(' or ')}`).join(', or ')
  throw new FileError(
    `${files.name} contains no CLIP model: looked for ${wanted}`,
    "give the folder of a CLIP in the Hugging Face or OpenCLIP format, or one of OpenAI's files (RN50.pt, ViT-B-32.pt ...)",
  )
}

/** Names that exports to ONNX have. */
const ONNX_FILES = ['', 'onnx/'].flatMap((folder) =>
  ['model', 'text_model', 'vision_model', 'textual', 'visual', 'model_quantized'].map(
    (name) => `${folder}${name}.onnx`,
  ),
)

const isTorch = (file: string) => file.endsWith('.bin')

async function configFile(files: ModelFiles, file: string): Promise<ConfigFile> {
  return { name: pathOf(files, file), text: await files.text(file) }
}

function pathOf(files: ModelFiles, file: string): string {
  return `${files.name}/${file}`
}

const indexSchema = z.object({
  weight_map: mapOf(
    z.string().regex(/^[^/\\]+\.safetensors$/, 'shards are .safetensors files in the same folder as the index'),
  ),
})

async function openCheckpoint(files: ModelFiles, weightsFile: string): Promise<Checkpoint> {
  const name = pathOf(files, weightsFile)
  if (!weightsFile.endsWith('.json')) return checkpointOf(name, [await openWeights(files, weightsFile)])
  const shards = shardsOf(await files.text(weightsFile), name)
  for (const shard of shards) {
    if (!(await files.has(shard)))
      throw new FileError(`${files.name}: the shard ${shard} named in ${weightsFile} is missing`, 'download it too')
  }
  return checkpointOf(name, await Promise.all(shards.map((shard) => openWeights(files, shard))))
}

async function openWeights(files: ModelFiles, file: string): Promise<TensorFile> {
  const source = await files.open(file)
  if (!isTorch(file)) return openSafetensors(source)
  const torch = await openTorchFile(source)
  // open_clip takes its training checkpoints, too
  return tensorFile(torch, namedTensors(torch, itemOf(torch.root, 'state_dict') ?? torch.root))
}
