import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import { PRECISIONS, type Precision } from '../clip/precision.ts'
import { CLASS_SPLITS, type ClassSplit } from '../data/halves.ts'
import { parseJson } from '../formats/json.ts'
import { type ByteSource, openSafetensors, type SafetensorsFile } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import { HASH, openSealed, writeSealed } from '../formats/sealed.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import type { Tensors } from '../learning/types.ts'
import { classWeights } from '../methods/class-weights/index.ts'
import { type AnyMethod, METHODS } from '../methods/index.ts'
import { EXIF_WAYS, type Exif } from '../pictures/picture.ts'
import { TRANSFORMS_NAMES, type Transforms } from '../pictures/transforms.ts'
import { type Trust, trustSchema } from './trust.ts'

/** A model as a word named it. */
export interface UsedModel {
  /** `bundled`, a hub id with its commit, or a path as it was given. */
  readonly name: string
  /** Of a model that is neither bundled nor of the hub: where it is. */
  readonly path?: string
}

/** A model as a run remembers it: no place is absolute but one that was given so. */
export interface RememberedModel {
  readonly name: string
  /** Of a path: the same from the run's folder, so that both can be moved together. */
  readonly place?: string
  readonly fingerprint: string
}

/** What a method learned from a data set, and everything needed to use it. */
export interface SavedLearned {
  readonly method: AnyMethod
  /** Complete. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly classNames: readonly string[]
  /** The hand-written prompts of the data set, for methods that are given none of their own. */
  readonly templates: readonly string[]
  /** The model it was learned on. */
  readonly model: RememberedModel
  /** How pictures were cut. */
  readonly transforms: Transforms
  /** What was done with their EXIF orientation; undefined: it was ignored. */
  readonly exif?: Exif
  /** In what the image tower computed their features; undefined: in float32. */
  readonly precision?: Precision
  /** `base`: the classes are the first half of the data set's. */
  readonly split: ClassSplit
  /** Share of each class that was held out for testing, where the data set marks no test images. */
  readonly testShare?: number
  /** Absent of runs that nothing was judged for: their probabilities are softmax(logits). */
  readonly trust?: Trust
  readonly tensors: Tensors
}

/** What a finished run learned, and what messages call it. */
export interface SavedRun extends SavedLearned {
  readonly run: string
  /** What can be done where it is damaged. */
  readonly remedy: string
}

const FORMAT = 'coop-learned-1'

const aboutSchema = z.strictObject({
  format: z.literal(FORMAT),
  method: z.string(),
  settings: z.record(z.string(), z.unknown()),
  classNames: z.array(z.string()).min(1),
  templates: z.array(z.string()).min(1),
  model: z.strictObject({
    name: z.string().min(1),
    place: z.string().optional(),
    fingerprint: z.string().regex(/^[0-9a-f]+$/),
  }),
  transforms: z.enum(TRANSFORMS_NAMES),
  exif: z.enum(EXIF_WAYS).optional(),
  precision: z.enum(PRECISIONS).optional(),
  split: z.enum(CLASS_SPLITS),
  testShare: z.number().min(0).max(1).optional(),
  trust: trustSchema.optional(),
})

/** The bytes of a safetensors file with its hash: the tensors in float32; all else as JSON in its metadata entry `learned`. */
export function writeLearned(saved: SavedLearned): Promise<Uint8Array<ArrayBuffer>> {
  const { method, settings, classNames, templates, model, split, testShare, trust, tensors } = saved
  const { transforms, exif, precision } = saved
  const names = { format: FORMAT, method: method.name, settings, classNames, templates }
  const about = { ...names, model, transforms, exif, precision, split, testShare, trust }
  return writeSealed(tensors, { learned: JSON.stringify(about) })
}

/**
 * Reads what writeLearned wrote; `methods` are known in addition to METHODS. Throws FileError when the file is damaged, is something else, or contradicts itself.
 */
export async function readLearned(source: ByteSource, methods: readonly AnyMethod[] = []): Promise<SavedLearned> {
  const file = await openSafetensors(source)
  const text = file.metadata.get('learned')
  if (text !== undefined || file.metadata.has(HASH)) await openSealed(source)
  if (text === undefined) {
    throw new FileError(`${file.name} contains nothing that a method learned`, 'give a run folder')
  }
  const what = `${file.name} (metadata "learned")`
  const { format: _, method: name, ...about } = readSchema(aboutSchema, parseJson(text, what), what)
  const known = [...methods, ...METHODS, classWeights]
  const method = known.find((method) => method.name === name)
  if (method === undefined) {
    throw new FileError(
      `${file.name} was learned by the method "${name}", which this version of coop-ts does not have`,
      `it has ${known.map(({ name }) => name).join(', ')}; openRun accepts more (its option methods)`,
    )
  }
  readSchema(method.settings, about.settings, `${file.name} (settings of ${name})`)
  return { ...about, method, tensors: await readTensors(file) }
}

/** All tensors of a file. Throws FileError where a value is no number. */
export async function readTensors(file: SafetensorsFile): Promise<Tensors> {
  const tensors = new Map<string, FloatTensor>()
  for (const name of file.entries.keys()) {
    const tensor = await file.readFloat(name)
    if (!tensor.data.every(Number.isFinite)) {
      throw new FileError(
        `${file.name} is damaged: ${name} contains values that are not numbers`,
        'write the file again',
      )
    }
    tensors.set(name, tensor)
  }
  return tensors
}
