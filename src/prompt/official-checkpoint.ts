import { FileError } from '../base/errors.ts'
import type { ByteSource } from '../formats/safetensors.ts'
import { itemOf, namedTensors, openTorchFile, PyDict, type TensorRef, tensorFile } from '../formats/torch-file/index.ts'
import type { FloatTensor } from '../graph/tensor.ts'

/** What the official CoOp code leaves of a training: `prompt_learner/model.pth.tar-N`. */
export interface OfficialCheckpoint {
  /** `(M, width)`, or `(classes, M, width)` where each class has its own context. */
  readonly ctx: FloatTensor
  /** Embeddings of the start token, `(classes, 1, width)`. */
  readonly prefix: FloatTensor | undefined
  /** Embeddings of class name, full stop, end token and padding, `(classes, tokens, width)`. */
  readonly suffix: FloatTensor | undefined
  readonly epoch: number | undefined
}

/** Before the names, where the state is that of the whole model. */
const PREFIX = 'prompt_learner.'
const REMEDY = 'give the file prompt_learner/model.pth.tar-N written by the official CoOp code'

/**
 * Reads a checkpoint of the official CoOp code (github.com/KaiyangZhou/CoOp, trainers/coop.py); nothing in it is executed.
 * Throws FileError, saying what the file is, when it is something else.
 */
export async function readOfficialCheckpoint(source: ByteSource): Promise<OfficialCheckpoint> {
  const file = await openTorchFile(source)
  const state = itemOf(file.root, 'state_dict') ?? file.root
  if (!(state instanceof PyDict)) throw new FileError(`${source.name} does not contain a dictionary of tensors`, REMEDY)
  const named = withoutPrefix(namedTensors(file, state))
  checkKind(source.name, named)
  const tensors = tensorFile(file, named)
  const read = async (name: string) => (named.has(name) ? tensors.readFloat(name) : undefined)
  const ctx = await tensors.readFloat('ctx')
  const [prefix, suffix] = [await read('token_prefix'), await read('token_suffix')]
  const epoch = itemOf(file.root, 'epoch')
  checkShapes(source.name, { ctx, prefix, suffix })
  return { ctx, prefix, suffix, epoch: typeof epoch === 'number' ? epoch : undefined }
}

function withoutPrefix(tensors: ReadonlyMap<string, TensorRef>): Map<string, TensorRef> {
  if (!tensors.has(`${PREFIX}ctx`)) return new Map(tensors)
  return new Map(
    [...tensors].flatMap(([name, ref]) => (name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), ref] as const] : [])),
  )
}

function checkKind(file: string, tensors: ReadonlyMap<string, TensorRef>): void {
  const names = [...tensors.keys()]
  if (names.some((name) => name.startsWith('meta_net.'))) {
    throw new FileError(
      `${file} is a CoCoOp prompt: its meta-net makes a different context for each image, which a CoOp run cannot store`,
      'import a prompt trained by CoOp, or learn one here with the method cocoop (coop-ts sweep)',
    )
  }
  if (tensors.has('ctx')) return
  if (tensors.has('visual.conv1.weight')) {
    throw new FileError(`${file} is a CLIP, not a learned prompt`, 'use it as the model (--model), and import a prompt')
  }
  const found = names.length === 0 ? 'no tensors at all' : names.slice(0, 5).join(', ')
  throw new FileError(`${file} contains no learned prompt: it has no tensor "ctx", only ${found}`, REMEDY)
}

type Tensors = Pick<OfficialCheckpoint, 'ctx' | 'prefix' | 'suffix'>

function checkShapes(file: string, { ctx, prefix, suffix }: Tensors): void {
  const { shape } = ctx
  const fail = (what: string) => new FileError(`${file}: ${what}`, REMEDY)
  if (shape.length < 2 || shape.length > 3 || shape.some((n) => n < 1)) {
    throw fail(`ctx has shape (${shape.join(', ')}), not (vectors, width) or (classes, vectors, width)`)
  }
  if (!ctx.data.every(Number.isFinite)) throw fail('ctx has values that are not finite numbers')
  const [classes] = shape.length === 3 ? shape : (suffix?.shape ?? [])
  for (const [name, tensor] of Object.entries({ token_prefix: prefix, token_suffix: suffix })) {
    if (tensor === undefined) continue
    const [n, , width] = tensor.shape
    if (tensor.shape.length !== 3 || width !== shape.at(-1) || (classes !== undefined && n !== classes)) {
      throw fail(`${name} is (${tensor.shape.join(', ')}), which does not match ctx (${shape.join(', ')})`)
    }
  }
}
