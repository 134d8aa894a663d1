import {
  add,
  dims,
  type FloatTensor,
  Graph,
  intTensor,
  matmul,
  mul,
  type Program,
  program,
  type Value,
} from '../../graph/index.ts'
import { labelLoss } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'

/** What LP++ learns, and the text features `(classes, d)` of length 1, as values of a graph. */
export interface LpValues {
  /** `(classes, d)` */
  readonly weight: Value
  /** `(classes)` */
  readonly bias: Value
  /** `(classes)` */
  readonly alpha: Value
  readonly text: Value
}

/** Logits of features x `(n, d)` of length 1:  logits_c = w_c . x + b_c + alpha_c t_c . x */
export function lpLogits(x: Value, { weight, bias, alpha, text }: LpValues): Value {
  return add(add(matmul(x, weight, { transB: true }), bias), mul(matmul(x, text, { transB: true }), alpha))
}

/**
 * One step over all images: `weight` `(classes, d)`, `bias` `(classes)`, `alpha` `(classes)`, `labels` -> loss, gradients,
 * `logits`, and the logits `val` of the images to choose by, if there are any. Features and text have length 1.
 */
export function lpStep(x: FloatTensor, text: FloatTensor, val: FloatTensor): Program {
  const graph = new Graph()
  const [classes, d] = dims(text, 2, 'text features')
  const tensors = {
    weight: graph.input('weight', [classes, d]),
    bias: graph.input('bias', [classes]),
    alpha: graph.input('alpha', [classes]),
  }
  const values = { ...tensors, text: graph.weight('text', text) }
  const logits = lpLogits(graph.weight('features', x), values)
  const others: Record<string, Value> = { logits }
  if (dims(val, 2)[0] > 0) others.val = lpLogits(graph.weight('val.features', val), values)
  return stepOf(labelLoss(logits), new Map(Object.entries(tensors)), others)
}

/** The products of all columns of x `(n, d)`, `x^T x`, or of all rows where there are fewer of them: `gram`. */
export function gramProgram(x: FloatTensor): Program<'gram'> {
  const [n, d] = dims(x, 2)
  const graph = new Graph()
  const value = graph.weight('x', x)
  return program(graph, {
    gram: n < d ? matmul(value, value, { transB: true }) : matmul(value, value, { transA: true }),
  })
}

export const labelsTensor = (labels: readonly number[]) => intTensor([labels.length], labels)
