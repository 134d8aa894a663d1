import { FileError } from '../../base/errors.ts'
import { type FloatTensor, floatTensor, sharedFloats, sizeOf } from '../../graph/tensor.ts'
import { DTYPE_BYTES, FLOAT_DECODERS } from '../dtypes.ts'
import type { ByteSource } from '../safetensors.ts'
import { broken } from './broken.ts'
import { checkTorchFile } from './file-kind.ts'
import { TORCH } from './meanings.ts'
import { readPickle } from './pickle.ts'
import type { PyValue, TensorRef } from './values.ts'
import { openZip, type ZipArchive } from './zip.ts'

/** An opened torch file: what it holds as inert data; tensors are read on demand. */
export interface TorchFile {
  readonly name: string
  /** What was saved: a dictionary of tensors, a module of TorchScript, or anything else. */
  readonly root: PyValue
  /**
   * A floating-point tensor as float32, contiguous. Throws FileError, with the tensor's name in the message, when its
   * type is not supported or its memory is missing or too small.
   */
  readFloat(tensor: TensorRef, name: string): Promise<FloatTensor>
}

/** The pickle holds names and shapes; this is a hundred times what the largest CLIP has. */
const MAX_PICKLE_BYTES = 64 << 20

/**
 * Opens what torch.save (1.6 or newer) or TorchScript wrote. Nothing in it is executed: see pickle.ts.
 * Throws FileError, saying what the file is, for anything else.
 */
export async function openTorchFile(source: ByteSource): Promise<TorchFile> {
  await checkTorchFile(source)
  const zip = await openZip(source)
  const folder = folderOf(source.name, zip)
  await checkByteOrder(source.name, zip, folder)
  const pickle = `${folder}/data.pkl`
  if ((zip.sizes.get(pickle) ?? 0) > MAX_PICKLE_BYTES) {
    throw broken(source.name, `its list of tensors has ${zip.sizes.get(pickle)} bytes (limit ${MAX_PICKLE_BYTES})`)
  }
  const root = readPickle(source.name, await zip.read(pickle), TORCH)
  return { name: source.name, root, readFloat: (tensor, name) => readFloat(source.name, zip, folder, tensor, name) }
}

/** The one folder that contains all entries of an archive. */
function folderOf(file: string, zip: ZipArchive): string {
  const folders = [...zip.sizes.keys()].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? [])
  const [folder] = folders
  if (folder !== undefined && folders.length === 1) return folder
  throw new FileError(
    `${file} is a zip archive, but not a torch one: it has ${folders.length === 0 ? 'no' : 'more than one'} data.pkl`,
    'give a file written by torch.save or torch.jit.save',
  )
}

async function checkByteOrder(file: string, zip: ZipArchive, folder: string): Promise<void> {
  const entry = `${folder}/byteorder`
  const size = zip.sizes.get(entry)
  if (size === undefined) return // torch before 2.1: little-endian machines only
  const order = size > 16 ? '' : new TextDecoder().decode(await zip.read(entry)).trim()
  if (order === 'little') return
  throw new FileError(
    `${file} was written on a machine with another byte order (byteorder: ${JSON.stringify(order)})`,
    'save it again on an ordinary (little-endian) machine',
  )
}

/** A view may repeat values (stride 0); beyond this many it is no model's tensor. */
const MAX_REPEATED = 1 << 24

async function readFloat(
  file: string,
  zip: ZipArchive,
  folder: string,
  tensor: TensorRef,
  name: string,
): Promise<FloatTensor> {
  const { storage, offset, shape, strides } = tensor
  const fail = (what: string, remedy?: string) => broken(file, `tensor ${JSON.stringify(name)}: ${what}`, remedy)
  const { dtype } = storage
  const decode = dtype && FLOAT_DECODERS[dtype]
  if (dtype === undefined || decode === undefined) {
    throw new FileError(
      `${file}: tensor ${JSON.stringify(name)}: it contains ${storage.type}; floating-point numbers of 16, 32 or 64 bits are supported`,
      'save it again as float32 (tensor.float())',
    )
  }
  const bytes = DTYPE_BYTES[dtype]
  const entry = `${folder}/data/${storage.key}`
  const stored = zip.sizes.get(entry)
  if (stored === undefined) throw fail(`its values are missing (${entry})`)
  if (stored !== storage.count * bytes) {
    throw fail(
      `${storage.count} values of ${storage.type} take ${storage.count * bytes} bytes, but ${entry} has ${stored}`,
    )
  }
  const size = sizeOf(shape)
  if (size > Math.max(storage.count, MAX_REPEATED)) {
    throw fail(`its shape (${shape.join(', ')}) has more values than its memory (${storage.count})`)
  }
  if (size === 0) return floatTensor(shape)
  const span = 1 + shape.reduce((sum, n, axis) => sum + (n - 1) * (strides[axis] ?? 0), 0)
  if (offset + span > storage.count) {
    throw fail(`it reaches value ${offset + span} of a memory of ${storage.count} values`)
  }
  const values = decode(await zip.read(entry, offset * bytes, span * bytes))
  return floatTensor(shape, isContiguous(tensor) ? values : gathered(tensor, values))
}

/** Whether the values are stored one after another in the order of the shape. */
function isContiguous({ shape, strides }: TensorRef): boolean {
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const n = shape[axis] ?? 1
    if (n !== 1 && strides[axis] !== step) return false
    step *= n
  }
  return true
}

/** The values of a view in the order of its shape. */
function gathered({ shape, strides }: TensorRef, values: Float32Array): Float32Array {
  const result = sharedFloats(sizeOf(shape))
  const index = shape.map(() => 0)
  let from = 0
  for (let i = 0; i < result.length; i++) {
    result[i] = values[from]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++
      from += strides[axis]!
      if (index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return result
}
