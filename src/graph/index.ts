// Operators on values of a graph; each knows its gradient. Wrong shapes throw ShapeError where the operator is applied.
export { averagePool, type ConvOptions, conv2d } from './convolution.ts'
export {
  add,
  div,
  equals,
  erf,
  exp,
  gelu,
  log,
  mul,
  neg,
  positive,
  QUICK_GELU,
  quickGelu,
  reciprocal,
  relu,
  scale,
  sigmoid,
  silu,
  sqrt,
  sub,
  where,
} from './elementwise.ts'

// Graphs, their gradients, and programs as ONNX models.
export { gradients } from './gradients.ts'
export { Graph, Value, withGradient } from './graph.ts'
export { type MatmulOptions, matmul } from './matrix.ts'
export {
  type BatchNorm,
  batchNorm,
  crossEntropy,
  frozenBatchNorm,
  l2Normalise,
  layerNorm,
  logSoftmax,
  normalisedProduct,
  softmax,
} from './normalisation.ts'
export { encodeOnnx, type OnnxModel } from './onnx.ts'
export { checkProgram, type Program, printProgram, program } from './program.ts'
export { argmax, max, mean, sum, sumSquares } from './reduction.ts'
export { gather, scatterAdd, sumOfCopies } from './rows.ts'
export { concat, expand, flip, pad, reshape, slice, split, transpose } from './shaping.ts'

// Tensors, what programs are fed and give.
export {
  dims,
  type FloatTensor,
  floatTensor,
  type IntTensor,
  intTensor,
  type Shape,
  sizeOf,
  type Tensor,
} from './tensor.ts'
