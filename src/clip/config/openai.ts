import { FileError } from '../../base/errors.ts'
import type { Shape } from '../../graph/tensor.ts'
import type { ClipConfig, ResNetConfig, TransformerConfig, VitConfig } from '../types.ts'
import { CLIP_MEAN, CLIP_STD, checked } from './schema.ts'

// OpenAI's release files have no configuration: sizes follow from the tensors, by the rules of `build_model` in OpenAI's
// model.py (https://github.com/openai/CLIP). What tensors cannot tell is the same for all: quick_gelu, heads of 64.

const HEAD_WIDTH = 64
const MLP_RATIO = 4

/** Shapes of a file's tensors, by name. */
export type FoundShapes = ReadonlyMap<string, { readonly shape: Shape }>

/**
 * Configuration of one of OpenAI's files, or of a state dictionary with the same names.
 * Throws FileError when it is something else.
 */
export function openAiConfig(file: string, tensors: FoundShapes): ClipConfig {
  const axis = (name: string, i: number) => axisOf(file, tensors, name, i)
  const vision = tensors.has('visual.proj') ? openAiVit(file, tensors) : openAiResNet(file, tensors)
  const width = axis('ln_final.weight', 0)
  return checked(file, {
    embedDim: axis('text_projection', 1),
    text: {
      vocabSize: axis('token_embedding.weight', 0),
      contextLength: axis('positional_embedding', 0),
      ...blocks(width, countOf(tensors, /^transformer\.resblocks\.(\d+)\./), file),
    },
    vision,
    preprocess: { size: vision.imageSize, mean: CLIP_MEAN, std: CLIP_STD },
  })
}

function openAiVit(file: string, tensors: FoundShapes): VitConfig {
  const width = axisOf(file, tensors, 'visual.conv1.weight', 0)
  const patchSize = axisOf(file, tensors, 'visual.conv1.weight', 3)
  const side = sideOf(file, axisOf(file, tensors, 'visual.positional_embedding', 0) - 1)
  return {
    kind: 'vit',
    imageSize: patchSize * side,
    patchSize,
    ...blocks(width, countOf(tensors, /^visual\.transformer\.resblocks\.(\d+)\./), file),
  }
}

function openAiResNet(file: string, tensors: FoundShapes): ResNetConfig {
  const width = axisOf(file, tensors, 'visual.layer1.0.conv1.weight', 0)
  const side = sideOf(file, axisOf(file, tensors, 'visual.attnpool.positional_embedding', 0) - 1)
  const stage = (i: number) => countOf(tensors, new RegExp(`^visual\\.layer${i}\\.(\\d+)\\.`))
  return {
    kind: 'resnet',
    imageSize: side * 32,
    width,
    layers: [stage(1), stage(2), stage(3), stage(4)],
    heads: Math.floor((width * 32) / HEAD_WIDTH),
  }
}

function blocks(width: number, layers: number, file: string): TransformerConfig {
  if (width < HEAD_WIDTH) {
    throw notOpenAi(
      file,
      `a transformer of width ${width} has no heads; OpenAI's have one for every ${HEAD_WIDTH} of width`,
    )
  }
  return {
    width,
    layers,
    heads: Math.floor(width / HEAD_WIDTH),
    mlpWidth: MLP_RATIO * width,
    activation: 'quick_gelu',
    layerNormEpsilon: 1e-5,
  }
}

function axisOf(file: string, tensors: FoundShapes, name: string, axis: number): number {
  const shape = tensors.get(name)?.shape
  if (shape === undefined) throw notOpenAi(file, `it has no tensor ${name}`)
  const size = shape[axis]
  if (size === undefined || size < 1) throw notOpenAi(file, `${name} is (${shape.join(', ')})`)
  return size
}

/** Side of a square with this many cells. */
function sideOf(file: string, cells: number): number {
  const side = Math.round(Math.sqrt(cells))
  if (side >= 1 && side * side === cells) return side
  throw notOpenAi(file, `its image positions are ${cells}, which is not a square number`)
}

/** How many different numbers stand where the pattern's group does. */
function countOf(tensors: FoundShapes, pattern: RegExp): number {
  return new Set([...tensors.keys()].flatMap((name) => pattern.exec(name)?.[1] ?? [])).size
}

function notOpenAi(file: string, why: string): FileError {
  return new FileError(
    `${file} is not one of OpenAI's CLIP files: ${why}`,
    'give a file such as RN50.pt or ViT-B-32.pt, or the folder of a model in the Hugging Face or OpenCLIP layout with its configuration',
  )
}
