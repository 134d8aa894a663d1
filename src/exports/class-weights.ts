import { z } from 'zod'
import { FileError } from '../base/errors.ts'
import { parseJson } from '../formats/json.ts'
import { type ByteSource, openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { EXIF_WAYS } from '../pictures/picture.ts'
import { TRANSFORMS_NAMES } from '../pictures/transforms.ts'

/** What is said of class weights beside their labels. */
const aboutSchema = z.object({
  /** exp(logit_scale), by which cosines to the weights are multiplied, and its inverse. */
  logit_scale: z.number().optional(),
  temperature: z.number().optional(),
  /** Of a run whose probabilities are softmax(logits / temperature). */
  calibration: z.object({ temperature: z.number().positive() }).optional(),
  model: z.object({ name: z.string(), fingerprint: z.string().regex(/^[0-9a-f]+$/) }).optional(),
  method: z.string().optional(),
  transforms: z.enum(TRANSFORMS_NAMES).optional(),
  exif: z.enum(EXIF_WAYS).optional(),
})
export type AboutWeights = z.output<typeof aboutSchema>

/** Rows `(classes, embed)` of length 1, one a label, and what is known of them. */
export interface ClassWeights {
  readonly weights: FloatTensor
  readonly labels: readonly string[]
  readonly about: AboutWeights
}

const TENSOR = 'weights'

/** The bytes of a safetensors file: the tensor `weights`, labels and the rest as JSON in its metadata. */
export function writeClassWeights({ weights, labels, about }: ClassWeights): Uint8Array<ArrayBuffer> {
  const metadata = { labels: JSON.stringify(labels), about: JSON.stringify(about) }
  return writeSafetensors(new Map([[TENSOR, weights]]), metadata)
}

/**
 * Class weights in a safetensors file: the tensor `weights`, or the only one there is. Labels are undefined where the file
 * has none. Throws FileError for anything else.
 */
export async function readClassWeights(
  source: ByteSource,
): Promise<Omit<ClassWeights, 'labels'> & { labels?: readonly string[] }> {
  const file = await openSafetensors(source)
  if (file.metadata.has('learned')) {
    throw new FileError(`${file.name} belongs to a run and is not class weights`, 'use the folder of the run as it is')
  }
  const [only, ...others] = file.entries.keys()
  const name = file.entries.has(TENSOR) ? TENSOR : only
  if (name === undefined || (name !== TENSOR && others.length > 0)) {
    throw new FileError(`${file.name} has no tensor "${TENSOR}"`, 'give what coop-ts export --format weights wrote')
  }
  const [labels, about] = [file.metadata.get('labels'), file.metadata.get('about')]
  return {
    weights: await file.readFloat(name),
    labels: labels === undefined ? undefined : readLabels(labels, `${file.name} (metadata "labels")`),
    about: about === undefined ? {} : readAbout(about, `${file.name} (metadata "about")`),
  }
}

const labelList = z.array(z.string().min(1)).min(1)
const labelsSchema = z.union([labelList, z.object({ labels: labelList }).transform(({ labels }) => labels)])

/** Labels in a JSON list, or in the member `labels` of an object. Throws FileError. */
export function readLabels(text: string, where: string): readonly string[] {
  return readSchema(labelsSchema, parseJson(text, where), where)
}

/** What stands beside class weights. Throws FileError. */
export const readAbout = (text: string, where: string): AboutWeights =>
  readSchema(aboutSchema, parseJson(text, where), where)
