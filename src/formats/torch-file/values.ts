import type { Shape } from '../../graph/tensor.ts'
import type { Dtype } from '../dtypes.ts'

// What a pickle holds, as inert data. Functions and classes are names that nothing looks up, objects are what they were to
// be made from.

export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyTuple
  | PyList
  | PyDict
  | PyGlobal
  | PyObject
  | StorageRef
  | TensorRef

export class PyTuple {
  readonly items: readonly PyValue[]
  constructor(items: readonly PyValue[]) {
    this.items = items
  }
}

/** A list or a set. */
export class PyList {
  readonly items: PyValue[] = []
}

export class PyDict {
  readonly entries = new Map<PyValue, PyValue>()
}

/** The name of a class or function, such as `collections.OrderedDict`. */
export class PyGlobal {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** What Python would make by calling something; here it is never called. */
export class PyObject {
  readonly callee: PyValue
  readonly args: PyValue
  /** Its attributes, when it has some. */
  state: PyValue = null
  readonly items: PyValue[] = []
  readonly entries = new Map<PyValue, PyValue>()
  constructor(callee: PyValue, args: PyValue) {
    this.callee = callee
    this.args = args
  }
}

/** A tensor's memory: `count` values in the archive's entry `data/KEY`. */
export class StorageRef {
  /** As torch calls it, such as `torch.HalfStorage`. */
  readonly type: string
  /** Undefined for types that are not read here. */
  readonly dtype: Dtype | undefined
  readonly key: string
  readonly count: number
  constructor(type: string, dtype: Dtype | undefined, key: string, count: number) {
    this.type = type
    this.dtype = dtype
    this.key = key
    this.count = count
  }
}

/** A view of a storage; offset and strides count values. */
export class TensorRef {
  readonly storage: StorageRef
  readonly offset: number
  readonly shape: Shape
  readonly strides: readonly number[]
  constructor(storage: StorageRef, offset: number, shape: Shape, strides: readonly number[]) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }

  get dtype(): string {
    return this.storage.dtype ?? this.storage.type
  }
}
