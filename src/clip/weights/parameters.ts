import { aMap, checkArguments } from '../../base/arguments.ts'
import { CoopError, ShapeError, UsageError } from '../../base/errors.ts'
import { type FloatTensor, Graph, type Shape, type Value } from '../../graph/index.ts'
import type { Weights } from '../types.ts'

/** Where an encoder's tensors come from: constants of a loaded model, or inputs of a training step. */
export type Parameters = (name: string, shape: Shape) => Value

/** A tensor of a loaded model. Throws CoopError when it has none of that name. */
export function weightOf(weights: Weights, name: string): FloatTensor {
  const tensor = weights.get(name)
  if (tensor !== undefined) return tensor
  throw new CoopError(`the model has no tensor ${name}`, 'its configuration names more layers than its weights have')
}

/** The tensors of a loaded model as constants of a graph. Throws when one is missing or has another shape. */
export function constantParameters(graph: Graph, weights: Weights): Parameters {
  if (!(graph instanceof Graph)) throw new UsageError('constantParameters takes a Graph and the weights of a model')
  checkArguments('constantParameters', { weights }, { weights: aMap })
  return (name, shape) => {
    const tensor = weightOf(weights, name)
    if (tensor.shape.join() !== shape.join()) {
      throw new ShapeError(
        `${name} has shape (${tensor.shape.join(', ')}), but the configuration says (${shape.join(', ')})`,
      )
    }
    return graph.weight(name, tensor)
  }
}

/** The same parameters below a prefix: `under(p, 'visual.')('proj', ...)` is `p('visual.proj', ...)`. */
export function under(parameters: Parameters, prefix: string): Parameters {
  return (name, shape) => parameters(prefix + name, shape)
}
