import { aNumberFrom0, checkArguments } from '../base/arguments.ts'
import { ShapeError } from '../base/errors.ts'
import { add, div, mul, reciprocal, relu, scale, sqrt, sub } from './elementwise.ts'
import { apply, expectShapes, expectValues, type Value, withGradient } from './graph.ts'
import { matmul } from './matrix.ts'
import { mean, sum, sumSquares } from './reduction.ts'
import { reshape } from './shaping.ts'
import { dims } from './tensor.ts'

/** exp(x) / sum exp(x) over the last axis.  dx = y (dy - sum(dy y)) */
export function softmax(x: Value): Value {
  const last = lastAxis('softmax', x)
  const y: Value = apply(
    'Softmax',
    [x],
    x.shape,
    (dy) => {
      const dyy = mul(dy, y)
      return [sub(dyy, mul(y, sum(dyy, [last], true)))]
    },
    { axis: last },
  )
  return y
}

/** log softmax over the last axis.  dx = dy - softmax(x) sum(dy) */
export function logSoftmax(x: Value): Value {
  const last = lastAxis('logSoftmax', x)
  return apply('LogSoftmax', [x], x.shape, (dy) => [sub(dy, mul(softmax(x), sum(dy, [last], true)))], { axis: last })
}

/**
 * Mean over rows of the cross-entropy between target distributions `(n, classes)` and logits `(n, classes)`;
 * one-hot rows are the usual labels. A scalar.
 */
export function crossEntropy(logits: Value, targets: Value): Value {
  expectValues('crossEntropy', [logits, targets])
  const [n] = dims(logits, 2, 'crossEntropy')
  const fits = n > 0 && logits.shape.join() === targets.shape.join()
  expectShapes(fits, 'crossEntropy', [logits, targets], 'both (n, classes), n from 1 up')
  return scale(sum(mul(logSoftmax(logits), targets), [0, 1]), -1 / n)
}

/** Rows along the last axis divided by their length. */
export function l2Normalise(x: Value): Value {
  return div(x, sqrt(sumSquares(x, [lastAxis('l2Normalise', x)], true)))
}

function lastAxis(op: string, x: Value): number {
  expectValues(op, [x])
  expectShapes(x.shape.length > 0, op, [x], 'at least one axis')
  return x.shape.length - 1
}

/**
 * Layer normalisation over the last axis: y = h gamma + beta with h = (x - mean) r, r = 1 / sqrt(var + epsilon).
 *
 *     dh = dy gamma,   dx = r (dh - mean(dh) - h mean(dh h)),   dgamma = sum dy h,   dbeta = sum dy
 *
 * mean and r are further outputs of ONNX's operator, so that the backward pass does not compute them again.
 */
export function layerNorm(x: Value, gamma: Value, beta: Value, epsilon: number): Value {
  const last = lastAxis('layerNorm', x)
  expectAffine('layerNorm', x, gamma, beta, last, epsilon)
  const rowShape = x.shape.map((n, i) => (i === last ? 1 : n))
  const [y, mu, r] = x.graph.apply({
    op: 'LayerNormalization',
    inputs: [x, gamma, beta],
    attributes: { axis: last, epsilon: { float: epsilon } },
    outputs: [{ shape: x.shape }, { shape: rowShape }, { shape: rowShape }],
    gradient: (dy, ...dStatistics) => {
      if (dStatistics.some((d) => d != null)) throw new ShapeError('layerNorm: mean and deviation have no gradient')
      if (dy === null) return [null, null, null]
      if (mu === undefined || r === undefined) throw new Error('layerNorm has three outputs')
      const h = mul(sub(x, mu), r)
      const dh = mul(dy, gamma)
      const dx = mul(r, sub(sub(dh, mean(dh, [last], true)), mul(h, mean(mul(dh, h), [last], true))))
      return [dx, mul(dy, h), dy]
    },
  })
  if (y === undefined) throw new Error('layerNorm has three outputs')
  return y
}

/**
 * alpha y W^T: the product of layerNorm's y `(rows, n)` and the transpose of a matrix W `(m, n)`. Where gamma and W are constants its gradient takes
 * half of the passes over x that those of its parts would: gamma and the mean over n, which has no part in dx, stand
 * in a constant C, and what that leaves is
 *
 *     C = W gamma - mean(W gamma),   g = alpha dy C,   dx = r (g - (x - mean) r^2 mean(g (x - mean)))
 */
export function normalisedProduct(x: Value, gamma: Value, beta: Value, epsilon: number, W: Value, alpha = 1): Value {
  const normalised = layerNorm(x, gamma, beta, epsilon)
  const y = matmul(normalised, W, { transB: true, alpha })
  const [, mu, r] = normalised.node.outputs
  if (![gamma, W].every(({ node }) => node.tensor !== undefined) || mu === undefined || r === undefined) return y
  return withGradient(y, [x, beta], (dy) => {
    const scaled = mul(W, gamma)
    const g = matmul(dy, sub(scaled, mean(scaled, [1], true)), { alpha })
    const centred = sub(x, mu)
    const slope = mul(mul(r, r), mean(mul(g, centred), [1], true))
    return [mul(sub(g, mul(centred, slope)), r), matmul(dy, W, { alpha })]
  })
}

/** What batchNorm gives. */
export interface BatchNorm {
  readonly y: Value
  /** Statistics of this batch, `(channels)`: what running averages are made of. The variance is the biased one. */
  readonly mean: Value
  readonly variance: Value
}

/**
 * Batch normalisation in training, over all axes but `channelAxis`: y = (x - mean) r gamma + beta with the batch's own
 * mean and biased variance. Written as y = a x + b with a = gamma r and b = beta - mean a, two passes over x; its
 * gradient, too, is two passes instead of the dozen that differentiating the parts would give:
 *
 *     S = sum dy,   T = sum dy (x - mean) r,   dbeta = S,   dgamma = T
 *     dx = a dy - (a r T / n) x + (mean r T - S) a / n
 */
export function batchNorm(x: Value, gamma: Value, beta: Value, channelAxis: number, epsilon: number): BatchNorm {
  expectAffine('batchNorm', x, gamma, beta, channelAxis, epsilon)
  const { others, across } = channelsOf(x, channelAxis)
  const n = others.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1)
  const { graph } = x

  const mu = mean(x, others)
  // Rounding may take E[x^2] - mean^2 below 0; relu keeps the root real.
  const variance = relu(sub(scale(sumSquares(x, others), 1 / n), mul(mu, mu)))
  const r = reciprocal(sqrt(add(variance, graph.scalar(epsilon))))
  const a = mul(gamma, r)
  const y = add(mul(x, across(a)), across(sub(beta, mul(mu, a))))
  const trained = withGradient(y, [x, gamma, beta], (dy) => {
    const S = sum(dy, others)
    const T = mul(r, sub(sum(mul(dy, x), others), mul(mu, S)))
    const slope = scale(mul(a, mul(r, T)), -1 / n)
    const shift = scale(mul(a, sub(mul(mul(mu, r), T), S)), 1 / n)
    return [add(mul(dy, across(a)), add(mul(x, across(slope)), across(shift))), T, S]
  })
  return { y: trained, mean: mu, variance }
}

/**
 * Batch normalisation of x `(n, channels, ...)` by statistics `(channels)` that are known, as in inference:
 * y = h gamma + beta with h = (x - mu) r, r = 1 / sqrt(variance + epsilon). The statistics are frozen: nothing flows
 * to them.
 *
 *     dx = dy gamma r,   dgamma = sum dy h,   dbeta = sum dy
 */
export function frozenBatchNorm(
  x: Value,
  gamma: Value,
  beta: Value,
  mu: Value,
  variance: Value,
  epsilon: number,
): Value {
  const each = [gamma, beta, mu, variance]
  expectValues('frozenBatchNorm', [x, ...each])
  checkArguments('frozenBatchNorm', { epsilon }, { epsilon: aNumberFrom0 })
  const fits = x.shape.length >= 2 && each.every(({ shape }) => shape.length === 1 && shape[0] === x.shape[1])
  expectShapes(fits, 'frozenBatchNorm', [x, ...each], '(n, channels, ...) and four of (channels)')
  const { others, across } = channelsOf(x, 1)
  return apply(
    'BatchNormalization',
    [x, gamma, beta, mu, variance],
    x.shape,
    (dy) => {
      const r = reciprocal(sqrt(add(variance, x.graph.scalar(epsilon))))
      const h = mul(sub(x, across(mu)), across(r))
      return [mul(dy, across(mul(gamma, r))), sum(mul(dy, h), others), sum(dy, others), null, null]
    },
    { epsilon: { float: epsilon } },
  )
}

/** The axes of x other than the channel axis, and `(channels)` laid along that axis, to be broadcast over x. */
function channelsOf(x: Value, channelAxis: number) {
  const shape = x.shape.map((length, axis) => (axis === channelAxis ? length : 1))
  return {
    others: x.shape.flatMap((_, axis) => (axis === channelAxis ? [] : [axis])),
    across: (v: Value) => reshape(v, shape),
  }
}

function expectAffine(op: string, x: Value, gamma: Value, beta: Value, axis: number, epsilon: number): void {
  expectValues(op, [x, gamma, beta])
  checkArguments(op, { epsilon }, { epsilon: aNumberFrom0 })
  const fits = [gamma, beta].every(({ shape }) => shape.length === 1 && shape[0] === x.shape[axis])
  expectShapes(fits, op, [x, gamma, beta], `gamma and beta as long as axis ${axis}`)
}
