import { FileError } from '../base/errors.ts'
import { type ByteSource, openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { TrainingState } from './train.ts'

/** A training state as a safetensors file: `ctx`, `momentum`, `losses`, `gradientNorms`, and the epoch in the metadata. */
export function writeState({ epoch, ctx, momentum, losses, gradientNorms }: TrainingState): Uint8Array<ArrayBuffer> {
  const tensors = new Map([
    ['ctx', ctx],
    ['momentum', momentum],
    // both are float32 values, so none of them loses a bit
    ['losses', floatTensor([losses.length], Float32Array.from(losses))],
    ['gradientNorms', floatTensor([gradientNorms.length], Float32Array.from(gradientNorms))],
  ])
  return writeSafetensors(tensors, { epoch: String(epoch) })
}

/**
 * Reads what writeState wrote; gradient norms are NaN where the file is of a version that did not keep them.
 * Throws FileError when the file is damaged or something else.
 */
export async function readState(source: ByteSource): Promise<TrainingState> {
  const file = await openSafetensors(source)
  const epoch = Number(file.metadata.get('epoch'))
  if (!Number.isInteger(epoch) || epoch < 0) {
    throw new FileError(`${source.name} is no checkpoint of a training run: it names no epoch`)
  }
  const [ctx, momentum, losses] = await Promise.all(['ctx', 'momentum', 'losses'].map((name) => file.readFloat(name)))
  if (ctx === undefined || momentum === undefined || losses === undefined) throw new Error('three tensors were read')
  const norms = file.entries.has('gradientNorms')
    ? await file.readFloat('gradientNorms')
    : floatTensor(losses.shape, new Float32Array(losses.data.length).fill(Number.NaN))
  return { epoch, ctx, momentum, losses: Array.from(losses.data), gradientNorms: Array.from(norms.data) }
}
