import { z } from 'zod'
import { aClip, anObject, aText, checkArguments, withMembers } from '../base/arguments.ts'
import { CoopError } from '../base/errors.ts'
import { imageTower, imageTrunk } from '../clip/towers/image-tower.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import { distinctNames } from '../data/class-names.ts'
import { anyBatch } from '../graph/batch-axis.ts'
import { Graph, mul, type Program, program, softmax } from '../graph/index.ts'
import { PORTABLE, rewrite } from '../graph/lowering.ts'
import { encodeOnnxFile } from '../graph/onnx.ts'
import type { ImageClassifier, Looks } from '../learning/classifier.ts'
import { logitFactor } from '../learning/logits.ts'
import { EXIF_WAYS, type Exif } from '../pictures/picture.ts'
import { TRANSFORMS_NAMES, type Transforms } from '../pictures/transforms.ts'
import { packWeights, WEIGHT_TYPES, type WeightType } from './pack-weights.ts'
import { preprocessing } from './preprocessing.ts'

/** A classifier, and what its file says of it. */
export interface Exported {
  readonly clip: Clip
  readonly classifier: ImageClassifier
  readonly method: { readonly name: string; readonly title: string; readonly settings: object }
  readonly modelName: string
  readonly transforms: Transforms
  readonly exif: Exif
  /** Of a run that was calibrated: `probabilities` are softmax(logits / temperature); default: 1. */
  readonly temperature?: number
}

const aWeightType = z.enum(WEIGHT_TYPES, { error: WEIGHT_TYPES.join(', ') })
const EXPORTED = {
  clip: aClip,
  classifier: withMembers('a classifier, as learnFewShot gives it', 'classNames', 'takes'),
  method: withMembers('a method { name, title, settings }', 'name', 'title', 'settings'),
  modelName: aText,
  transforms: z.enum(TRANSFORMS_NAMES, { error: TRANSFORMS_NAMES.join(' or ') }),
  exif: z.enum(EXIF_WAYS, { error: EXIF_WAYS.join(' or ') }),
  temperature: z.number({ error: 'a number above 0' }).gt(0, { error: 'a number above 0' }).optional(),
}

/** What a classifier looks at, of pixels. */
const SEEN: Readonly<Record<Looks, typeof imageTrunk>> = {
  features: imageTower,
  trunk: imageTrunk,
  pixels: (_, __, pixels) => pixels,
}

/** Pixels `pixel_values` `(n, 3, size, size)` -> `logits` and `probabilities` `(n, classes)`, for any n. */
function classifierProgram({ clip, classifier, method, temperature = 1 }: Exported): Program {
  const { takes, logitsOf } = classifier
  if (logitsOf === undefined) {
    throw new CoopError(
      `${method.title} runs the text tower for each picture and class, which no small ONNX file does`,
      'export a run of another method, such as coop or kgcoop',
    )
  }
  const { size } = clip.config.preprocess
  return anyBatch((n) => {
    const graph = new Graph()
    const pixels = graph.input('pixel_values', [n, 3, size, size])
    const parameters = constantParameters(graph, clip.weights)
    const logits = logitsOf(SEEN[takes](parameters, clip.config, pixels))
    const calibrated = temperature === 1 ? logits : mul(logits, graph.scalar(1 / temperature))
    return rewrite(program(graph, { logits, probabilities: softmax(calibrated) }), PORTABLE)
  })
}

/**
 * One ONNX file of image tower and classifier, in operators of ONNX's own: `pixel_values` `(n, 3, size, size)` ->
 * `logits` and `probabilities` `(n, classes)`. Its metadata_props are JSON: labels, preprocessing, logit_scale (the factor
 * that is in the logits) and its inverse, temperature, the temperature that `probabilities` are calibrated by, if they are (calibration),
 * method, model, weights and what `more` has.
 *
 * @throws CoopError for a method whose logits are no small graph, and for a file of 2 GB or more
 */
export function classifierFile(
  exported: Exported,
  weights: WeightType,
  more: Readonly<Record<string, unknown>> = {},
): Uint8Array<ArrayBuffer> {
  checkArguments(
    'classifierFile',
    { exported, weights, more },
    { exported: anObject, weights: aWeightType, more: anObject },
  )
  checkArguments('classifierFile', { ...exported }, EXPORTED)
  const { clip, classifier, method, modelName, transforms, exif, temperature = 1 } = exported
  const factor = logitFactor(clip)
  const about = {
    labels: distinctNames(classifier.classNames),
    preprocessing: preprocessing(clip.config.preprocess, transforms, exif),
    logit_scale: factor,
    temperature: 1 / factor,
    calibration: temperature === 1 ? undefined : { temperature },
    method,
    model: { name: modelName, fingerprint: clip.fingerprint },
    weights,
    ...more,
  }
  const said = Object.entries(about).filter(([, value]) => value !== undefined)
  const metadata = Object.fromEntries(said.map(([key, value]) => [key, JSON.stringify(value)]))
  try {
    return encodeOnnxFile(packWeights(classifierProgram(exported), weights), { batch: 'n', metadata })
  } catch (cause) {
    if (!(cause instanceof CoopError) || cause.remedy !== undefined) throw cause
    throw new CoopError(cause.message, 'store its weights in fewer bits: --float16, or --format onnx-int8', { cause })
  }
}
