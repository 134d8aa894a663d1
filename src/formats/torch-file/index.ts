export { openTorchFile } from './open.ts'
export { itemOf, namedTensors, tensorFile } from './tensors.ts'
export { PyDict, TensorRef } from './values.ts'
