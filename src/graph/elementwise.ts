import { apply, broadcast, expectShapes, expectValues, type Value, withGradient } from './graph.ts'

// Element by element. Gradients come in the shape of the output; the driver sums over broadcast axes.

/** a + b; axes of length 1 broadcast, as in all operators of two values. */
export function add(a: Value, b: Value): Value {
  return apply('Add', [a, b], broadcast('add', [a, b]), (dy) => [dy, dy])
}

/** a - b */
export function sub(a: Value, b: Value): Value {
  return apply('Sub', [a, b], broadcast('sub', [a, b]), (dy) => [dy, neg(dy)])
}

/** a b, entry by entry: d(ab) = b da + a db */
export function mul(a: Value, b: Value): Value {
  return apply('Mul', [a, b], broadcast('mul', [a, b]), (dy) => [mul(dy, b), mul(dy, a)])
}

/** a / b: d(a/b) = da / b - (a/b) db / b */
export function div(a: Value, b: Value): Value {
  const y: Value = apply('Div', [a, b], broadcast('div', [a, b]), (dy) => [div(dy, b), neg(div(mul(dy, y), b))])
  return y
}

/** x times a number. */
export function scale(x: Value, factor: number): Value {
  expectValues('scale', [x])
  return factor === 1 ? x : mul(x, x.graph.scalar(factor))
}

/** -x */
export function neg(x: Value): Value {
  return apply('Neg', [x], broadcast('neg', [x]), (dy) => [neg(dy)])
}

/** e^x: d exp(x) = exp(x) dx */
export function exp(x: Value): Value {
  const y: Value = apply('Exp', [x], broadcast('exp', [x]), (dy) => [mul(dy, y)])
  return y
}

/** The natural logarithm: d log(x) = dx / x */
export function log(x: Value): Value {
  return apply('Log', [x], broadcast('log', [x]), (dy) => [div(dy, x)])
}

/** The square root: d sqrt(x) = dx / (2 sqrt(x)) */
export function sqrt(x: Value): Value {
  const y: Value = apply('Sqrt', [x], broadcast('sqrt', [x]), (dy) => [scale(div(dy, y), 0.5)])
  return y
}

/** 1 / x: d (1/x) = -dx / x^2 */
export function reciprocal(x: Value): Value {
  const y: Value = apply('Reciprocal', [x], broadcast('reciprocal', [x]), (dy) => [neg(mul(dy, mul(y, y)))])
  return y
}

/** The error function: d erf(x) = 2/sqrt(pi) exp(-x^2) dx */
export function erf(x: Value): Value {
  return apply('Erf', [x], broadcast('erf', [x]), (dy) => [mul(dy, scale(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))])
}

/** s(x) = 1 / (1 + e^-x): d s(x) = s (1 - s) dx */
export function sigmoid(x: Value): Value {
  const s: Value = apply('Sigmoid', [x], broadcast('sigmoid', [x]), (dy) => [
    mul(dy, mul(s, sub(x.graph.scalar(1), s))),
  ])
  return s
}

/** max(x, 0); where x = 0 the gradient is 0, as PyTorch has it. */
export function relu(x: Value): Value {
  const y: Value = apply('Relu', [x], broadcast('relu', [x]), (dy) => [where(positive(y), dy, x.graph.scalar(0))])
  return y
}

/** x > 0, as booleans. */
export function positive(x: Value): Value {
  const shape = broadcast('positive', [x])
  return apply('Greater', [x, x.graph.scalar(0)], shape, 'none', {}, 'bool')
}

/** a where the condition holds, else b. */
export function where(condition: Value, a: Value, b: Value): Value {
  expectValues('where', [condition, a, b])
  const { graph } = a
  expectShapes(condition.dtype === 'bool', 'where', [condition, a, b], 'the condition is a mask')
  return apply(
    'Where',
    [condition, a, b],
    broadcast('where', [a, b], [condition.shape, a.shape, b.shape]),
    (dy) => [null, where(condition, dy, graph.scalar(0)), where(condition, graph.scalar(0), dy)],
    {},
    a.dtype,
  )
}

/** 1 where two whole-number tensors agree, else 0; as float32. */
export function equals(a: Value, b: Value): Value {
  const same = apply('Equal', [a, b], broadcast('equals', [a, b]), 'none', {}, 'bool')
  return apply('Cast', [same], same.shape, 'none', { to: 1 }, 'float32')
}

/**
 * x sigmoid(x). With y = x s, s = sigmoid(x):  dy/dx = s + y (1 - s)
 */
export function silu(x: Value): Value {
  const s = sigmoid(x)
  const y = mul(x, s)
  return withGradient(y, [x], (dy) => [mul(dy, add(s, mul(y, sub(x.graph.scalar(1), s))))])
}

/** In x sigmoid(1.702 x), the activation of OpenAI's models, and so silu(1.702 x) / 1.702. */
export const QUICK_GELU = 1.702

/** x sigmoid(1.702 x) */
export function quickGelu(x: Value): Value {
  return scale(silu(scale(x, QUICK_GELU)), 1 / QUICK_GELU)
}

/**
 * x Phi(x) with Phi the normal distribution (the exact form, not the tanh one).
 * dy/dx = Phi(x) + x phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2, phi(x) = exp(-x^2/2) / sqrt(2 pi)
 */
export function gelu(x: Value): Value {
  return apply('Gelu', [x], broadcast('gelu', [x]), (dy) => {
    const Phi = scale(add(erf(scale(x, Math.SQRT1_2)), x.graph.scalar(1)), 0.5)
    const phi = scale(exp(scale(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
    return [mul(dy, add(Phi, mul(x, phi)))]
  })
}
