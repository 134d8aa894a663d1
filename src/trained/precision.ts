import { z } from 'zod'
import type { Hooks } from '../base/progress.ts'
import { PRECISIONS, type Precision } from '../clip/precision.ts'
import type { Clip } from '../clip/types.ts'
import { givenFrom, type Item } from '../data/items.ts'
import { dims } from '../graph/tensor.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import type { Templates } from '../methods/zero-shot/templates.ts'
import type { Runtime } from '../runtime/types.ts'
import { type EncodeOptions, encodeSets, imageRows } from './pictures.ts'
import type { PictureReader } from './reader.ts'

/** Pictures on which 8 bits are compared with float32, at most. */
const SAMPLE = 64
/** Features that are less like those in float32, on average, are not used. */
const LEAST_ALIKE = 0.99

/** In what the image tower computed, and what was lost by it on some of the user's own pictures. */
export const usedPrecisionSchema = z.object({
  /** `float32` where int8 was asked for and lost too much. */
  used: z.enum(PRECISIONS),
  pictures: z.int(),
  /** Of a picture's features in int8 to those in float32. */
  cosine: z.object({ mean: z.number(), least: z.number() }),
  /** Share of pictures whose answer by hand-written prompts is the same; left out where there are no classes. */
  sameAnswers: z.number().min(0).max(1).optional(),
})
/** What `usedPrecisionSchema` reads. */
export type UsedPrecision = z.output<typeof usedPrecisionSchema>

/** Pictures, and what they may show. */
export interface Compared {
  readonly reader: PictureReader
  readonly clip: Clip
  readonly runtime: Runtime
  readonly items: readonly Item[]
  readonly classNames: readonly string[]
  readonly templates: Templates
}

/**
 * Compares int8 with float32 on some of the pictures, says what is lost, and which of them is then used. Undefined where
 * float32 was asked for or nothing is computed in int8: of features that are given, and on a graphics card.
 */
export async function comparedPrecision(
  { reader, clip, runtime, items, classNames, templates }: Compared,
  { precision = 'float32', ...options }: EncodeOptions,
  hooks: Hooks,
): Promise<UsedPrecision | undefined> {
  if (precision === 'float32' || items.length === 0 || givenFrom(items) !== undefined) return undefined
  if (runtime.device !== 'cpu') {
    hooks.onWarning?.(`int8 is for the processor: on ${runtime.device} the image tower computes in float32`)
    return undefined
  }
  const step = Math.ceil(items.length / SAMPLE)
  const sample = [{ items: items.filter((_, i) => i % step === 0) }] as const
  const encode = async (precision: Precision) => {
    const [encoded] = await encodeSets(reader, clip, runtime, sample, { ...options, precision }, hooks)
    return imageRows(encoded)
  }
  const [exact, rounded] = [await encode('float32'), await encode('int8')]
  const [pictures, width] = dims(exact, 2)
  const cosines = Array.from({ length: pictures }, (_, i) => {
    const row = ({ data }: typeof exact) => data.subarray(i * width, (i + 1) * width)
    return cosineOf(row(exact), row(rounded))
  })
  const cosine = { mean: cosines.reduce((a, b) => a + b, 0) / pictures, least: Math.min(...cosines) }
  const used = cosine.mean >= LEAST_ALIKE ? 'int8' : 'float32'
  let sameAnswers: number | undefined
  if (classNames.length > 0) {
    const classifier = await zeroShotClassifier({ clip, runtime, classNames, templates })
    try {
      const [a, b] = [await classifier.predict(exact), await classifier.predict(rounded)]
      sameAnswers = a.filter((answer, i) => answer === b[i]).length / pictures
    } finally {
      await classifier.dispose()
    }
  }
  const found = { used, pictures, cosine, sameAnswers } as const
  hooks.onWarning?.(precisionText(found))
  return found
}

/** What int8 loses, in words. */
function precisionText({ used, pictures, cosine, sameAnswers }: UsedPrecision): string {
  const answers =
    sameAnswers === undefined
      ? ''
      : `, and ${Math.round(sameAnswers * pictures)} answers of hand-written prompts are the same`
  const alike = `on ${pictures} of the pictures its features have a cosine of ${digits(cosine.mean)} to those of float32 (the least: ${digits(cosine.least)})${answers}`
  return used === 'int8' ? `int8: ${alike}` : `int8 loses too much and is not used: ${alike}`
}

/** Four digits, never rounded up. */
const digits = (x: number) => (Math.floor(x * 1e4) / 1e4).toFixed(4)

/** The cosine of the angle between two vectors. */
export function cosineOf(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!
    aa += a[i]! * a[i]!
    bb += b[i]! * b[i]!
  }
  return ab / Math.sqrt(aa * bb)
}
