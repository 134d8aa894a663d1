import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomFor } from '../src/base/random.ts'
import { KNOWN_MODELS } from '../src/clip/known-models.ts'
import { makeClip } from '../src/clip/load.ts'
import { readClipTables } from '../src/clip/tokenizer/load.ts'
import type { Clip, ClipConfig, Weights } from '../src/clip/types.ts'
import { expectedTensors } from '../src/clip/weights/expected.ts'
import { floatTensor, sharedFloats, sizeOf } from '../src/graph/tensor.ts'
import { saveOpenClip } from '../src/lab/pretrain/save.ts'
import { fileSource } from '../src/node/files.ts'
import { clipMerges } from '../src/node/package.ts'
import { pieceTokenizer } from './text-model.ts'

/** The sizes of a CLIP by the name that the paper gives to its towers. */
export function configOf(architecture: string): ClipConfig {
  const known = KNOWN_MODELS.find((model) => model.architecture === architecture)
  if (known === undefined) throw new Error(`no model of the architecture ${architecture}`)
  return known.config
}

/** Time and memory do not depend on the weights, as long as nothing is infinite or denormal. */
export function randomWeights(config: ClipConfig): Weights {
  const random = randomFor('bench encoders', 1)
  return new Map(
    [...expectedTensors(config)].map(([name, shape]) => {
      const size = sizeOf(shape)
      const scale = shape.length > 1 ? 1 / Math.sqrt(size / (shape[0] ?? 1)) : 1
      const data = sharedFloats(size)
      for (let i = 0; i < size; i++) data[i] = scale * (shape.length > 1 ? 2 * random.next() - 1 : 1)
      return [name, floatTensor(shape, data)] as const
    }),
  )
}

/** The files of a model with random weights and CLIP's own tokenizer, as people download one. */
export async function saveRandomModel(
  folder: string,
  architecture: string,
  dtype: 'float32' | 'float16',
): Promise<void> {
  const config = configOf(architecture)
  const tables = await readClipTables(await fileSource(clipMerges()))
  await mkdir(folder, { recursive: true })
  for (const [file, bytes] of saveOpenClip(config, randomWeights(config), tables, { dtype })) {
    await writeFile(join(folder, file), bytes)
  }
}

/** The same in memory; its tokenizer knows the words of the benches' class names. */
export function randomClip(architecture: string): Promise<Clip> {
  const config = configOf(architecture)
  return makeClip(config, randomWeights(config), pieceTokenizer(config.text.contextLength))
}
