import { aList, aMap, aText, checkArguments } from '../base/arguments.ts'
import { CoopError } from '../base/errors.ts'
import { dims, type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { Learned } from './method.ts'

/** A tensor that was learned. Throws CoopError if it is missing or has another shape, as with other classes or another model. */
export function learnedTensor(
  learned: Pick<Learned, 'tensors'>,
  name: string,
  shape: readonly (number | 'any')[],
): FloatTensor {
  const tensors = learned?.tensors
  checkArguments('learnedTensor', { tensors, name, shape }, { tensors: aMap, name: aText, shape: aList })
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new CoopError(`what was learned has no tensor ${JSON.stringify(name)}`)
  const fits =
    tensor.shape.length === shape.length && shape.every((size, i) => size === 'any' || size === tensor.shape[i])
  if (fits) return tensor
  throw new CoopError(
    `the learned ${name} has shape (${tensor.shape.join(', ')}), but these classes and this model need (${shape.join(', ')})`,
    'use the classes and the model that it was learned with',
  )
}

/** Rows `(n, d)` and more of them `(m, d)` below: `(n + m, d)`. */
export function appended(rows: FloatTensor, more: FloatTensor): FloatTensor {
  const [[n, d], [m]] = [dims(rows, 2), dims(more, 2)]
  const all = floatTensor([n + m, d])
  all.data.set(rows.data)
  all.data.set(more.data, n * d)
  return all
}
