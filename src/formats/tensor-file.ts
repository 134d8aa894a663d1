import type { FloatTensor, Shape, StoredValues } from '../graph/tensor.ts'

/** Named tensors of a file, whatever its format. */
export interface TensorFile {
  readonly name: string
  readonly entries: ReadonlyMap<string, TensorAbout>
  /** A floating-point tensor as float32. Throws FileError when it is missing or of another kind. */
  readFloat(tensor: string): Promise<FloatTensor>
  /** The values of such a tensor, to be read when they are asked for; undefined where that is not possible. */
  stored?(tensor: string): StoredValues | undefined
}

export interface TensorAbout {
  readonly shape: Shape
  /** Type of its values, by safetensors' names, or as the file calls it. */
  readonly dtype: string
}
