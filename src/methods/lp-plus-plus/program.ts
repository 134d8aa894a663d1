import { add, type FloatTensor, Graph, intTensor, matmul, mul, type Program, type Value } from '../../graph/index.ts'
import { labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'

/**
 * One step over all images: `weight` `(classes, d)`, `bias` `(classes)`, `alpha` `(classes)`, `labels` -> loss, gradients,
 * `logits`, and the logits `val` of the images to choose by, if there are any. Features and text have length 1.
 *
 *     logits_c = w_c . x + b_c + alpha_c t_c . x
 */
export function lpStep(x: FloatTensor, text: FloatTensor, val: FloatTensor): Program {
  const graph = new Graph()
  const [classes = 0, d = 0] = text.shape
  const weight = graph.input('weight', [classes, d])
  const bias = graph.input('bias', [classes])
  const alpha = graph.input('alpha', [classes])
  const texts = graph.weight('text', text)
  const logitsOf = (features: Value) => {
    const fromImages = add(matmul(features, weight, { transB: true }), bias)
    return add(fromImages, mul(matmul(features, texts, { transB: true }), alpha))
  }
  const logits = logitsOf(graph.weight('features', x))
  const tensors = new Map(Object.entries({ weight, bias, alpha }))
  const others: Record<string, Value> =
    (val.shape[0] ?? 0) > 0 ? { val: logitsOf(graph.weight('val.features', val)) } : {}
  return stepOf(labelLoss(logits), tensors, { logits, ...others })
}

export const labelsTensor = (labels: readonly number[]) => intTensor([labels.length], labels)
