import { z } from 'zod'
import { FileError } from '../errors.ts'
import { type ConfigFile, parseHuggingFaceConfig, parseOpenClipConfig } from './config.ts'
import { expectedTensors } from './expected.ts'
import { fingerprintOf } from './fingerprint.ts'
import { parseJson } from './json.ts'
import { huggingFaceNames, type NameLayout, openClipNames } from './names.ts'
import { type ByteSource, openSafetensors } from './safetensors.ts'
import { readSchema } from './schema.ts'
import { createTokenizer, type Tokenizer, type TokenizerTables } from './tokenizer.ts'
import { parseTokenizerJson, parseVocabulary } from './tokenizer-files.ts'
import type { Clip, ClipConfig, TextConfig, Weights } from './types.ts'
import { type Checkpoint, checkpointOf, readWeights } from './weights.ts'

/** The files of one model: a folder, a hub repository, a set of URLs. File names have no folders in them. */
export interface ModelFiles {
  /** What messages call the model: a folder or an address. */
  readonly name: string
  has(file: string): Promise<boolean>
  text(file: string): Promise<string>
  open(file: string): Promise<ByteSource>
}

/** A way to lay out a model's files: what its configuration says, where its weights are, how tensors are called. */
interface ModelLayout {
  readonly config: string
  /** Files of weights, the first that is there is taken; `.index.json` lists shards. */
  readonly weights: readonly string[]
  readonly names: NameLayout
  readConfig(files: ModelFiles): Promise<ClipConfig>
}

const LAYOUTS: readonly ModelLayout[] = [
  {
    config: 'open_clip_config.json',
    weights: ['open_clip_model.safetensors', 'open_clip_pytorch_model.safetensors'],
    names: openClipNames,
    readConfig: async (files) => parseOpenClipConfig(await configFile(files, 'open_clip_config.json')),
  },
  {
    config: 'config.json',
    weights: ['model.safetensors', 'model.safetensors.index.json'],
    names: huggingFaceNames,
    async readConfig(files) {
      const config = await configFile(files, 'config.json')
      const preprocessor = 'preprocessor_config.json'
      return (await files.has(preprocessor))
        ? parseHuggingFaceConfig(config, await configFile(files, preprocessor))
        : parseHuggingFaceConfig(config)
    },
  },
]

/** The files by which each layout is known: its configuration, and its weights in the order in which they are looked for. */
export const LAYOUT_FILES: readonly Pick<ModelLayout, 'config' | 'weights'>[] = LAYOUTS

/** The configuration in a layout's file, before there are weights. Throws FileError as loadClip does. */
export async function readClipConfig(files: ModelFiles, config: string): Promise<ClipConfig> {
  const layout = LAYOUTS.find((layout) => layout.config === config)
  if (layout === undefined) throw new Error(`no layout has its configuration in ${config}`)
  return layout.readConfig(files)
}

/** The files that a sharded checkpoint's index names. Throws FileError when it is no index. */
export function shardsOf(text: string, name: string): string[] {
  const index = readSchema(indexSchema, parseJson(text, name), name)
  return [...new Set(Object.values(index.weight_map))].sort()
}

/**
 * Loads a CLIP in the Hugging Face or the OpenCLIP layout, weights as float32 in memory.
 * Throws FileError when files are missing, damaged, unsupported or do not fit one another.
 */
export async function loadClip(files: ModelFiles): Promise<Clip> {
  const { layout, weightsFile } = await findLayout(files)
  const config = await layout.readConfig(files)
  const tokenizer = await loadTokenizer(files, config.text)
  const checkpoint = await openCheckpoint(files, weightsFile)
  return makeClip(config, await readWeights(checkpoint, expectedTensors(config), layout.names), tokenizer)
}

/** A Clip from its parts: computes the fingerprint. */
export async function makeClip(config: ClipConfig, weights: Weights, tokenizer: Tokenizer): Promise<Clip> {
  return { config, weights, tokenizer, fingerprint: await fingerprintOf(config, weights) }
}

async function findLayout(files: ModelFiles): Promise<{ layout: ModelLayout; weightsFile: string }> {
  for (const layout of LAYOUTS) {
    if (!(await files.has(layout.config))) continue
    for (const weightsFile of layout.weights) {
      if (await files.has(weightsFile)) return { layout, weightsFile }
    }
  }
  const wanted = LAYOUTS.map(({ config, weights }) => `${config} with ${weights.join(' or ')}`).join(', or ')
  throw new FileError(
    `${files.name} holds no CLIP model: looked for ${wanted}`,
    'give the folder of a CLIP in the Hugging Face or OpenCLIP layout with safetensors weights (pickled .bin and .pt files are not read)',
  )
}

async function configFile(files: ModelFiles, file: string): Promise<ConfigFile> {
  return { name: pathOf(files, file), text: await files.text(file) }
}

function pathOf(files: ModelFiles, file: string): string {
  return `${files.name}/${file}`
}

const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z.string().regex(/^[^/\\]+\.safetensors$/, 'shards are .safetensors files beside the index'),
  ),
})

async function openCheckpoint(files: ModelFiles, weightsFile: string): Promise<Checkpoint> {
  const name = pathOf(files, weightsFile)
  if (!weightsFile.endsWith('.json')) return checkpointOf(name, [await openSafetensors(await files.open(weightsFile))])
  const shards = shardsOf(await files.text(weightsFile), name)
  for (const shard of shards) {
    if (!(await files.has(shard)))
      throw new FileError(`${files.name}: the shard ${shard} named in ${weightsFile} is missing`, 'fetch it as well')
  }
  const opened = await Promise.all(shards.map(async (shard) => openSafetensors(await files.open(shard))))
  return checkpointOf(name, opened)
}
