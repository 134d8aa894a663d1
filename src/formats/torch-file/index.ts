export { openTorchFile, type TorchFile } from './open.ts'
export { itemOf, namedTensors, tensorFile } from './tensors.ts'
export { PyDict, PyObject, type PyValue, TensorRef } from './values.ts'
