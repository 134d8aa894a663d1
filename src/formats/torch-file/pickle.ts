import { broken } from './broken.ts'
import { PyDict, PyGlobal, PyList, PyObject, PyTuple, type PyValue } from './values.ts'

// A reader of pickles that executes nothing: the operations are those that build plain data; a call is kept as what was to
// be called, with what. Each operation makes at most one value, no longer than its bytes, and their number is bounded.
// Operations: CPython's Lib/pickletools.py.

/** What a few calls and storages stand for; undefined: nothing that is known, the call stays inert. */
export interface Meanings {
  call(callee: PyGlobal, args: PyTuple): PyValue | undefined
  persistent(id: PyValue): PyValue | undefined
}

/** The value of a pickle. Throws FileError when it is damaged or uses operations that torch does not write. */
export function readPickle(file: string, bytes: Uint8Array, meanings: Meanings): PyValue {
  const machine: Machine = new Machine(file, bytes, meanings)
  for (let operations = 0; ; operations++) {
    if (operations > MAX_OPERATIONS) machine.fail(`it has more than ${MAX_OPERATIONS} operations`)
    const code = machine.byte()
    if (code === STOP) return machine.pop()
    const operation = OPERATIONS.get(code)
    if (operation === undefined) machine.fail(`the operation ${hex(code)} is not one that torch writes`)
    operation(machine)
  }
}

/** The largest CLIP takes a hundred thousand with its optimiser. */
const MAX_OPERATIONS = 500_000
/** Numbers of more digits are not what models are made of. */
const MAX_LONG_BYTES = 64

class Machine {
  readonly file: string
  readonly meanings: Meanings
  readonly memo = new Map<number, PyValue>()
  #bytes: Uint8Array
  #data: DataView
  #at = 0
  #stack: PyValue[] = []
  /** Stacks below the marks. */
  #below: PyValue[][] = []

  constructor(file: string, bytes: Uint8Array, meanings: Meanings) {
    this.file = file
    this.meanings = meanings
    this.#bytes = bytes
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fail(what: string): never {
    throw broken(this.file, `its pickle is damaged or not written by torch: ${what} (byte ${this.#at})`)
  }

  push(value: PyValue): void {
    this.#stack.push(value)
  }

  pop(): PyValue {
    const value = this.#stack.pop()
    if (value === undefined) this.fail('the stack is empty')
    return value
  }

  top(): PyValue {
    const value = this.#stack.at(-1)
    if (value === undefined) this.fail('the stack is empty')
    return value
  }

  mark(): void {
    this.#below.push(this.#stack)
    this.#stack = []
  }

  /** All since the last mark. */
  popToMark(): PyValue[] {
    const values = this.#stack
    this.#stack = this.#below.pop() ?? this.fail('the mark is missing')
    return values
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.fail(`it ends within a value of ${length} bytes`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  #advance(length: number): number {
    this.take(length)
    return this.#at - length
  }

  byte = () => this.#data.getUint8(this.#advance(1))
  uint16 = () => this.#data.getUint16(this.#advance(2), true)
  uint32 = () => this.#data.getUint32(this.#advance(4), true)
  int32 = () => this.#data.getInt32(this.#advance(4), true)
  float64 = () => this.#data.getFloat64(this.#advance(8), false)

  uint64(): number {
    const value = this.#data.getBigUint64(this.#advance(8), true)
    return value > Number.MAX_SAFE_INTEGER ? this.fail(`it states a length of ${value}`) : Number(value)
  }

  text(length: number): string {
    const bytes = this.take(length)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      return this.fail('a string is not UTF-8')
    }
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) this.fail('a name has no end')
    const text = this.text(end - this.#at)
    this.take(1)
    return text
  }

  /** Little-endian, two's complement. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) this.fail(`a number has ${length} bytes`)
    const bytes = this.take(length)
    const unsigned = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
    const value = BigInt.asIntN(8 * length, unsigned)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
}

type Operation = (m: Machine) => void

const STOP = 0x2e

const pushing =
  (value: (m: Machine) => PyValue): Operation =>
  (m) =>
    m.push(value(m))

const tuple = (length: number) => pushing((m) => new PyTuple(Array.from({ length }, () => m.pop()).reverse()))

const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x80, (m) => m.byte()], // PROTO
  [0x95, (m) => m.take(8)], // FRAME

  // the stack and what is kept aside
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => m.pop()], // POP
  [0x31, (m) => m.popToMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x71, (m) => m.memo.set(m.byte(), m.top())], // BINPUT
  [0x72, (m) => m.memo.set(m.uint32(), m.top())], // LONG_BINPUT
  [0x94, (m) => m.memo.set(m.memo.size, m.top())], // MEMOIZE
  [0x68, pushing((m) => remembered(m, m.byte()))], // BINGET
  [0x6a, pushing((m) => remembered(m, m.uint32()))], // LONG_BINGET

  // plain values
  [0x4e, pushing(() => null)], // NONE
  [0x88, pushing(() => true)], // NEWTRUE
  [0x89, pushing(() => false)], // NEWFALSE
  [0x4a, pushing((m) => m.int32())], // BININT
  [0x4b, pushing((m) => m.byte())], // BININT1
  [0x4d, pushing((m) => m.uint16())], // BININT2
  [0x8a, pushing((m) => m.long(m.byte()))], // LONG1
  [0x8b, pushing((m) => m.long(m.uint32()))], // LONG4
  [0x47, pushing((m) => m.float64())], // BINFLOAT
  [0x58, pushing((m) => m.text(m.uint32()))], // BINUNICODE
  [0x8c, pushing((m) => m.text(m.byte()))], // SHORT_BINUNICODE
  [0x8d, pushing((m) => m.text(m.uint64()))], // BINUNICODE8
  [0x54, pushing((m) => m.take(m.uint32()))], // BINSTRING
  [0x55, pushing((m) => m.take(m.byte()))], // SHORT_BINSTRING
  [0x42, pushing((m) => m.take(m.uint32()))], // BINBYTES
  [0x43, pushing((m) => m.take(m.byte()))], // SHORT_BINBYTES
  [0x8e, pushing((m) => m.take(m.uint64()))], // BINBYTES8
  [0x96, pushing((m) => m.take(m.uint64()))], // BYTEARRAY8

  // containers
  [0x29, pushing(() => new PyTuple([]))], // EMPTY_TUPLE
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [0x74, pushing((m) => new PyTuple(m.popToMark()))], // TUPLE
  [0x5d, pushing(() => new PyList())], // EMPTY_LIST
  [0x6c, pushing((m) => append(m, new PyList(), m.popToMark()))], // LIST
  [0x61, inPlace((m) => [m.pop()], append)], // APPEND
  [0x65, inPlace((m) => m.popToMark(), append)], // APPENDS
  [0x8f, pushing(() => new PyList())], // EMPTY_SET
  [0x90, inPlace((m) => m.popToMark(), append)], // ADDITEMS
  [0x91, pushing((m) => append(m, new PyList(), m.popToMark()))], // FROZENSET
  [0x7d, pushing(() => new PyDict())], // EMPTY_DICT
  [0x64, pushing((m) => setItems(m, new PyDict(), m.popToMark()))], // DICT
  [0x73, inPlace((m) => [m.pop(), m.pop()].reverse(), setItems)], // SETITEM
  [0x75, inPlace((m) => m.popToMark(), setItems)], // SETITEMS

  // names and calls, kept as such
  [0x63, pushing((m) => new PyGlobal(`${m.line()}.${m.line()}`))], // GLOBAL
  [0x93, pushing(stackGlobal)], // STACK_GLOBAL
  [0x52, pushing(reduce)], // REDUCE
  [0x81, pushing(newObject)], // NEWOBJ
  [0x92, pushing(newObjectWithKeywords)], // NEWOBJ_EX
  [0x62, build], // BUILD
  [0x51, pushing(persistent)], // BINPERSID
])

function remembered(m: Machine, key: number): PyValue {
  const value = m.memo.get(key)
  return value === undefined ? m.fail(`there is no stored value ${key}`) : value
}

/** An operation on the value below its operands, which stays. */
function inPlace(
  operands: (m: Machine) => PyValue[],
  change: (m: Machine, container: PyValue, values: PyValue[]) => PyValue,
): Operation {
  return (m) => {
    const values = operands(m)
    change(m, m.top(), values)
  }
}

function append(m: Machine, list: PyValue, values: readonly PyValue[]): PyValue {
  if (!(list instanceof PyList || list instanceof PyObject))
    m.fail('something is appended to a value that is not a list')
  for (const value of values) list.items.push(value)
  return list
}

function setItems(m: Machine, dict: PyValue, pairs: readonly PyValue[]): PyValue {
  if (!(dict instanceof PyDict || dict instanceof PyObject)) m.fail('a key is set in a value that is not a dictionary')
  if (pairs.length % 2 !== 0) m.fail('a key has no value')
  for (let i = 0; i < pairs.length; i += 2) dict.entries.set(pairs[i] ?? null, pairs[i + 1] ?? null)
  return dict
}

function stackGlobal(m: Machine): PyValue {
  const [name, module] = [m.pop(), m.pop()]
  if (typeof name !== 'string' || typeof module !== 'string') m.fail('a class has no name')
  return new PyGlobal(`${module}.${name}`)
}

function reduce(m: Machine): PyValue {
  const [args, callee] = [m.pop(), m.pop()]
  if (callee instanceof PyGlobal && args instanceof PyTuple) {
    const meaning = m.meanings.call(callee, args)
    if (meaning !== undefined) return meaning
  }
  return new PyObject(callee, args)
}

function newObject(m: Machine): PyValue {
  const [args, callee] = [m.pop(), m.pop()]
  return new PyObject(callee, args)
}

function newObjectWithKeywords(m: Machine): PyValue {
  m.pop()
  return newObject(m)
}

/** Attributes of an object. What is known needs none: those of a dictionary or tensor are dropped. */
function build(m: Machine): void {
  const state = m.pop()
  const object = m.top()
  if (object instanceof PyObject) object.state = state
}

function persistent(m: Machine): PyValue {
  return m.meanings.persistent(m.pop()) ?? m.fail('it refers to something that is not the storage of a tensor')
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`
}
