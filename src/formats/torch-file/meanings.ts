import type { Dtype } from '../dtypes.ts'
import type { Meanings } from './pickle.ts'
import { PyDict, PyGlobal, PyList, PyObject, PyTuple, type PyValue, StorageRef, TensorRef } from './values.ts'

/** Values of torch's storage classes, by class name. */
const STORAGE_TYPES: Readonly<Record<string, Dtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
}

/** The calls by which torch makes tensors: what they stand for, never what they would do. */
const CALLS: Readonly<Record<string, (args: readonly PyValue[]) => PyValue | undefined>> = {
  'collections.OrderedDict': (args) => (args.length === 0 ? new PyDict() : undefined),
  'torch._utils._rebuild_tensor': ([storage, offset, size, stride]) => tensor(storage, offset, size, stride),
  'torch._utils._rebuild_tensor_v2': ([storage, offset, size, stride]) => tensor(storage, offset, size, stride),
  // types that have no storage class of their own, such as float8: (storage, offset, size, stride, gradient, hooks, type)
  'torch._utils._rebuild_tensor_v3': ([storage, offset, size, stride, , , type]) =>
    storage instanceof StorageRef && type instanceof PyGlobal
      ? tensor(new StorageRef(type.name, undefined, storage.key, storage.count), offset, size, stride)
      : undefined,
  'torch._utils._rebuild_parameter': onlyTensor,
  'torch._utils._rebuild_parameter_with_state': onlyTensor,
  // a tensor with attributes of its own: (function, type, arguments, attributes)
  'torch._tensor._rebuild_from_type_v2': ([callee, , args]) =>
    callee instanceof PyGlobal && args instanceof PyTuple && callee.name !== 'torch._tensor._rebuild_from_type_v2'
      ? call(callee, args)
      : undefined,
}

function call({ name }: PyGlobal, args: PyTuple): PyValue | undefined {
  return Object.hasOwn(CALLS, name) ? CALLS[name]?.(args.items) : undefined
}

/** What torch's pickles mean. */
export const TORCH: Meanings = {
  call,
  persistent(id) {
    if (!(id instanceof PyTuple)) return undefined
    const [kind, type, key, , count] = id.items
    if (kind !== 'storage' || !(type instanceof PyGlobal) || typeof key !== 'string' || !isCount(count))
      return undefined
    const [, className = ''] = /^torch\.(?:cuda\.)?(\w+)$/.exec(type.name) ?? []
    const dtype = Object.hasOwn(STORAGE_TYPES, className) ? STORAGE_TYPES[className] : undefined
    return new StorageRef(type.name, dtype, key, count)
  },
}

function onlyTensor([value]: readonly PyValue[]): PyValue | undefined {
  return value instanceof TensorRef ? value : undefined
}

function tensor(storage?: PyValue, offset?: PyValue, size?: PyValue, stride?: PyValue): TensorRef | undefined {
  const [shape, strides] = [counts(size), counts(stride)]
  if (!(storage instanceof StorageRef) || !isCount(offset) || shape === undefined || strides === undefined) {
    return undefined
  }
  return shape.length === strides.length ? new TensorRef(storage, offset, shape, strides) : undefined
}

/** Sizes as a tuple, or as TorchScript's list. */
function counts(value: PyValue | undefined): readonly number[] | undefined {
  const items = value instanceof PyTuple || value instanceof PyList ? value.items : undefined
  return items?.every(isCount) ? items : undefined
}

function isCount(value: PyValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** Whether an object is a module of a TorchScript archive. */
export function isScriptModule(value: PyValue): value is PyObject {
  return value instanceof PyObject && value.callee instanceof PyGlobal && value.callee.name.startsWith('__torch__.')
}
