import { CoopError, ShapeError } from '../base/errors.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import type { Classes, ImageClassifier, Learned } from './method.ts'

/** A classifier that computes in this thread, for features `(n, embed)` of the model's length. */
export function featureClassifier(
  { clip, classNames }: Pick<Classes, 'clip' | 'classNames'>,
  logits: (features: FloatTensor) => FloatTensor,
): ImageClassifier {
  const { embedDim } = clip.config
  return {
    classNames,
    async logits(features) {
      if (features.shape.length === 2 && features.shape[1] === embedDim) return logits(features)
      throw new ShapeError(`image features are (n, ${embedDim}) for this model, not (${features.shape.join(', ')})`)
    },
  }
}

/** A tensor that was learned. Throws CoopError where it is missing or of another shape, as when classes or model are others. */
export function learnedTensor({ tensors }: Learned, name: string, shape: readonly (number | 'any')[]): FloatTensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new CoopError(`what was learned has no tensor ${JSON.stringify(name)}`)
  const fits =
    tensor.shape.length === shape.length && shape.every((size, i) => size === 'any' || size === tensor.shape[i])
  if (fits) return tensor
  throw new CoopError(
    `${name} that was learned is (${tensor.shape.join(', ')}), and these classes and this model take (${shape.join(', ')})`,
    'take the classes and the model that it was learned with',
  )
}
