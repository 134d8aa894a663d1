import { FileError } from '../../base/errors.ts'
import { FLOAT_DECODERS } from '../../formats/dtypes.ts'
import type { TensorFile } from '../../formats/tensor-file.ts'
import {
  dims,
  type FloatTensor,
  floatTensor,
  type Shape,
  type StoredValues,
  sharedFloats,
  sizeOf,
  storedTensor,
} from '../../graph/tensor.ts'
import type { Weights } from '../types.ts'
import type { Shapes } from './expected.ts'
import { type Naming, type Origin, originShape } from './names.ts'

/** Tensors of one checkpoint, whichever of its files each lies in. */
export interface Checkpoint {
  readonly name: string
  /** The file of each tensor. */
  readonly tensors: ReadonlyMap<string, TensorFile>
}

/** The tensors of one or several files as one checkpoint. Throws FileError when two files hold the same tensor. */
export function checkpointOf(name: string, files: readonly TensorFile[]): Checkpoint {
  const tensors = new Map<string, TensorFile>()
  for (const file of files) {
    for (const tensor of file.entries.keys()) {
      const other = tensors.get(tensor)
      if (other !== undefined)
        throw new FileError(
          `tensor "${tensor}" is in both ${other.name} and ${file.name}`,
          'use the files of one model',
        )
      tensors.set(tensor, file)
    }
  }
  return { name, tensors }
}

/**
 * Reads exactly the `expected` tensors, under canonical names, as float32; `weights` takes them. Where files can be read later
 * (safetensors on a disk) the values are, when they are asked for.
 * Throws one FileError that lists every missing, unexpected and misshapen tensor, before any is read.
 */
export async function readWeights(
  checkpoint: Checkpoint,
  expected: Shapes,
  naming: Naming,
  weights = new Map<string, FloatTensor>(),
): Promise<Weights> {
  checkTensors(checkpoint, expected, naming)
  for (const [canonical, shape] of expected) {
    const source = naming.originOf(canonical)
    const stored = storedIn(checkpoint, source)
    if (stored !== undefined) {
      weights.set(canonical, storedTensor(shape, stored))
      continue
    }
    const tensors: FloatTensor[] = []
    for (const name of source.names) tensors.push(await readFinite(checkpoint, name))
    weights.set(canonical, combine(source, tensors, shape))
  }
  return weights
}

/** Throws one FileError that lists every missing, unexpected, misshapen and mistyped tensor; reads none. */
export function checkTensors(checkpoint: Checkpoint, expected: Shapes, naming: Naming): void {
  const missing: string[] = []
  const misshapen: string[] = []
  const mistyped: string[] = []
  for (const [canonical, shape] of expected) {
    const source = naming.originOf(canonical)
    const wanted = originShape(source, shape)
    for (const name of source.names) {
      const entry = checkpoint.tensors.get(name)?.entries.get(name)
      if (entry === undefined) missing.push(`${name} (${wanted.join(', ')})`)
      else if (!fits(entry.shape, wanted)) {
        misshapen.push(`${name}: expected (${wanted.join(', ')}), found (${entry.shape.join(', ')})`)
      } else if (!Object.hasOwn(FLOAT_DECODERS, entry.dtype)) {
        mistyped.push(`${name}: ${entry.dtype}`)
      }
    }
  }
  const unexpected = [...checkpoint.tensors.keys()].filter((name) => {
    const canonical = naming.canonical(name)
    return !naming.ignored(name) && (canonical === undefined || !expected.has(canonical))
  })
  const report = [
    ...listing('missing', missing),
    ...listing('misshapen', misshapen),
    ...listing(`of a type that is not supported; supported: ${Object.keys(FLOAT_DECODERS).join(', ')}`, mistyped),
    ...listing('unexpected', unexpected),
  ]
  if (report.length === 0) return
  throw new FileError(
    `${checkpoint.name} does not have the tensors that its configuration describes\n${report.join('\n')}`,
    'use weights and configuration of the same model',
  )
}

const MAX_LISTED = 40

function listing(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const more = names.length > MAX_LISTED ? [`    ... and ${names.length - MAX_LISTED} more`] : []
  return [`  ${title} (${names.length}):`, ...names.slice(0, MAX_LISTED).map((name) => `    ${name}`), ...more]
}

/** The values of a tensor that is one of a file's, or several stacked. */
function storedIn({ tensors }: Checkpoint, { names, change }: Origin): StoredValues | undefined {
  if (change === 'transpose') return undefined
  const parts: StoredValues[] = []
  for (const name of names) {
    const file = tensors.get(name)
    const values = file?.stored?.(name)
    if (file === undefined || values === undefined) return undefined
    parts.push(finite(values, file.name, name))
  }
  const [first] = parts
  return parts.length === 1 ? first : stacked(parts)
}

const finite = (values: StoredValues, file: string, name: string): StoredValues => ({
  ...values,
  read(start, end, into) {
    const found = values.read(start, end, into)
    if (!allFinite(found)) throw notFinite(file, name)
    return found
  },
})

/** Values one after the other. */
function stacked(parts: readonly StoredValues[]): StoredValues {
  return {
    length: parts.reduce((sum, { length }) => sum + length, 0),
    read(start, end, into = sharedFloats(end - start)) {
      let before = 0
      for (const { length, read } of parts) {
        const [from, to] = [Math.max(start, before), Math.min(end, before + length)]
        if (from < to) read(from - before, to - before, into.subarray(from - start, to - start))
        before += length
      }
      return into.subarray(0, end - start)
    },
  }
}

function notFinite(file: string, name: string): FileError {
  return new FileError(
    `${file}: tensor "${name}" has values that are not finite numbers`,
    'download or write the file again',
  )
}

async function readFinite(checkpoint: Checkpoint, name: string): Promise<FloatTensor> {
  const file = checkpoint.tensors.get(name)
  if (file === undefined) throw new FileError(`${checkpoint.name} has no tensor "${name}"`)
  const tensor = await file.readFloat(name)
  if (!allFinite(tensor.data)) throw notFinite(file.name, name)
  return tensor
}

/** 0 times a number is 0, and NaN of what is not finite, in any of four sums that need not wait for one another. */
function allFinite(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0]
  const end = values.length - (values.length % 4)
  for (let i = 0; i < end; i += 4) {
    a += 0 * values[i]!
    b += 0 * values[i + 1]!
    c += 0 * values[i + 2]!
    d += 0 * values[i + 3]!
  }
  for (let i = end; i < values.length; i++) a += 0 * values[i]!
  return a + b + c + d === 0
}

function combine({ change }: Origin, tensors: readonly FloatTensor[], shape: Shape): FloatTensor {
  const [first] = tensors
  if (first !== undefined && change === 'copy') return floatTensor(shape, first.data)
  if (first !== undefined && change === 'transpose') return floatTensor(shape, transposed(first))
  const stacked = floatTensor(shape, sharedFloats(sizeOf(shape)))
  let offset = 0
  for (const { data } of tensors) {
    stacked.data.set(data, offset)
    offset += data.length
  }
  return stacked
}

/** A matrix (rows, columns) to (columns, rows). */
function transposed(matrix: FloatTensor): Float32Array {
  const [rows, columns] = dims(matrix, 2)
  const { data } = matrix
  const result = sharedFloats(data.length)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!
  }
  return result
}

/** A scalar may also be stored as one value in a row, as some checkpoints have the logit scale. */
function fits(found: Shape, wanted: Shape): boolean {
  return sameShape(found, wanted) || (wanted.length === 0 && sameShape(found, [1]))
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis])
}
