import { z } from 'zod'
import { aClip, aFunction, anObject, aRuntime, aTensor, checkArguments, texts, wholes } from '../base/arguments.ts'
import { countOf } from '../base/count.ts'
import { DivergedError, ShapeError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor, type Shape, type Value } from '../graph/index.ts'
import type { Runtime } from '../runtime/types.ts'
import { imageLogits } from './logits.ts'
import { type RowFunction, rowFunction } from './rows.ts'
import { argmaxRows } from './vectors.ts'

/**
 * What a classifier looks at: image features `(n, embed)` of any length; those before the image tower's last projection,
 * `(n, trunk)`; or pixels `(n, 3, size, size)`, preprocessed.
 */
export const LOOKS = ['features', 'trunk', 'pixels'] as const
/** One of LOOKS. */
export type Looks = (typeof LOOKS)[number]

/** Tells images apart. It computes beside the caller's thread. */
export interface ImageClassifier {
  readonly classNames: readonly string[]
  readonly takes: Looks
  /** Its logits `(n, classes)` as operators on images; left out where they are too many for a file. */
  readonly logitsOf?: (images: Value) => Value
  /** `(classes, embed)` of length 1, where its logits are exp(logit_scale) times the cosine to them. */
  readonly classWeights?: FloatTensor
  /**
   * Logits `(n, classes)` of n images; softmax gives probabilities. Where that takes long, the hooks hear of its progress.
   * @throws ShapeError for what is not of the shape that `takes` says
   */
  logits(images: FloatTensor, hooks?: Hooks): Promise<FloatTensor>
  /** The most probable class of each image, an index into classNames; the first of several. */
  predict(images: FloatTensor, hooks?: Hooks): Promise<number[]>
  /** Frees what the runtime holds for it. */
  dispose(): Promise<void>
}

/** NamedClasses to tell apart with a CLIP. */
export interface NamedClasses {
  readonly clip: Clip
  readonly runtime: Runtime
  readonly classNames: readonly string[]
}

const aLook = z.enum(LOOKS, { error: 'features, trunk or pixels' })

/** Images of one run that looks at pixels. */
const PIXEL_ROWS = 32

/** A classifier whose logits are a graph over the images. */
export function graphClassifier(
  classes: NamedClasses,
  logitsOf: (images: Value) => Value,
  takes: Looks = 'features',
): ImageClassifier {
  const { clip, runtime, classNames } = classes ?? {}
  checkArguments(
    'graphClassifier',
    { clip, runtime, classNames, logitsOf, takes },
    { clip: aClip, runtime: aRuntime, classNames: texts, logitsOf: aFunction, takes: aLook },
  )
  const most = takes === 'pixels' ? PIXEL_ROWS : undefined
  return {
    ...rowClassifier(clip, classNames, rowFunction(runtime, shapeOf(clip, takes), logitsOf, most), takes),
    logitsOf,
  }
}

/** A classifier whose logits are a function of rows, one an image. */
export function rowClassifier(
  clip: Clip,
  classNames: readonly string[],
  rows: RowFunction,
  takes: Looks = 'features',
): ImageClassifier {
  const wanted = shapeOf(clip, takes)
  const check = (images: FloatTensor) => {
    checkArguments('a classifier', { images }, { images: aTensor })
    const { shape } = images
    if (shape.slice(1).join() === wanted.join()) return
    throw new ShapeError(
      `image ${NAMES[takes]} are (n, ${wanted.join(', ')}) for this model, not (${shape.join(', ')})`,
    )
  }
  return {
    classNames,
    takes,
    async logits(images, hooks) {
      check(images)
      return images.shape[0] === 0 ? floatTensor([0, classNames.length]) : rows.all(images, hooks)
    },
    async predict(images, hooks) {
      check(images)
      const classes = new Array<number>(images.shape[0] ?? 0)
      const show = (logits: FloatTensor, first: number) => {
        for (const [i, c] of argmaxRows(logits).entries()) classes[first + i] = c
      }
      await rows.each(images, show, hooks)
      return classes
    },
    dispose: () => rows.dispose(),
  }
}

const NAMES: Readonly<Record<Looks, string>> = {
  features: 'features',
  trunk: 'features before the last projection',
  pixels: 'pixels',
}

function shapeOf({ config }: Clip, takes: Looks): Shape {
  const { size } = config.preprocess
  return { features: [config.embedDim], trunk: [trunkWidth(config)], pixels: [3, size, size] }[takes]
}

/**
 * A classifier by the cosine to text features `(classes, embed)` of length 1. Throws DivergedError where they are not
 * finite, as those of a prompt learned at too high a rate.
 */
export function textClassifier(classes: NamedClasses, textFeatures: FloatTensor): ImageClassifier {
  checkArguments('textClassifier', { classes, textFeatures }, { classes: anObject, textFeatures: aTensor })
  if (!textFeatures.data.every(Number.isFinite)) {
    throw new DivergedError(
      'the text features of the prompts are not finite numbers',
      'learn the prompt again with a smaller learning rate; or the weights of the model may be damaged',
    )
  }
  const logitsOf = (x: Value) => imageLogits(classes.clip, x, x.graph.weight('text', textFeatures))
  return { ...graphClassifier(classes, logitsOf), classWeights: textFeatures }
}

/**
 * Share of images whose most probable class is theirs, a fraction of 1, in all and by class (NaN without images).
 *
 * @param predicted for each image an index into `classNames`, as are its `labels`
 * @throws ShapeError for lists of unequal length, UsageError for what is no such index
 */
export function accuracyOf(
  classNames: readonly string[],
  predicted: readonly number[],
  labels: readonly number[],
): { accuracy: number; perClass: number[] } {
  checkArguments(
    'accuracyOf',
    { classNames, predicted, labels },
    { classNames: texts, predicted: wholes, labels: wholes },
  )
  if (predicted.length !== labels.length) {
    throw new ShapeError(`accuracyOf: ${countOf(predicted.length, 'answer')} for ${countOf(labels.length, 'label')}`)
  }
  const strange = [predicted, labels].flatMap((list) => list.find((c) => c < 0 || c >= classNames.length) ?? [])[0]
  if (strange !== undefined) {
    throw new UsageError(
      `accuracyOf: ${strange} is not the index of one of ${countOf(classNames.length, 'class name')}`,
      'give the class names, then for each image the index predicted and its own',
    )
  }
  const right = classNames.map(() => 0)
  const total = classNames.map(() => 0)
  for (const [i, label] of labels.entries()) {
    total[label]! += 1
    if (predicted[i] === label) right[label]! += 1
  }
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0)
  return { accuracy: sum(right) / sum(total), perClass: right.map((count, c) => count / total[c]!) }
}
