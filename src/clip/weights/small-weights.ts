import { floatToHalf, halfToFloat } from '../../formats/half.ts'
import { type FloatTensor, floatTensor, type Shape, sharedFloats, sizeOf } from '../../graph/tensor.ts'

/** float16 bit patterns of a tensor. */
interface Packed {
  readonly shape: Shape
  readonly bits: Uint16Array
}

/**
 * Weights that are kept as float16 where that holds their very values, as those of a float16 checkpoint, in half the
 * memory; what is asked for is float32 as ever, made anew (the one asked for last may still be there).
 */
export class SmallWeights extends Map<string, FloatTensor> {
  readonly #packed = new Map<string, Packed>()
  #last: { readonly name: string; readonly tensor: WeakRef<FloatTensor> } | undefined

  override set(name: string, tensor: FloatTensor): this {
    const bits = exactHalf(tensor.data)
    if (bits === undefined) return super.set(name, tensor)
    this.#packed.set(name, { shape: tensor.shape, bits })
    return super.set(name, EMPTY) // its place in the order
  }

  override get(name: string): FloatTensor | undefined {
    const packed = this.#packed.get(name)
    if (packed === undefined) return super.get(name)
    const last = this.#last?.name === name ? this.#last.tensor.deref() : undefined
    if (last !== undefined) return last
    const tensor = floatTensor(packed.shape, halfToFloat(packed.bits, sharedFloats(sizeOf(packed.shape))))
    this.#last = { name, tensor: new WeakRef(tensor) }
    return tensor
  }

  override *values() {
    for (const name of this.keys()) {
      const tensor = this.get(name)
      if (tensor !== undefined) yield tensor
    }
    return undefined
  }

  override *entries() {
    for (const name of this.keys()) {
      const tensor = this.get(name)
      if (tensor !== undefined) yield [name, tensor] satisfies [string, FloatTensor]
    }
    return undefined
  }

  override [Symbol.iterator]() {
    return this.entries()
  }

  override forEach(each: (tensor: FloatTensor, name: string, weights: Map<string, FloatTensor>) => void): void {
    for (const [name, tensor] of this) each(tensor, name, this)
  }

  /** Bytes that are held. */
  get byteLength(): number {
    let bytes = 0
    for (const name of this.keys()) bytes += (this.#packed.get(name)?.bits ?? super.get(name)?.data)?.byteLength ?? 0
    return bytes
  }
}

const EMPTY = floatTensor([0])

/** The values as float16, if all of them are float16 numbers. */
function exactHalf(values: Float32Array): Uint16Array | undefined {
  const bits = floatToHalf(values)
  const back = halfToFloat(bits)
  for (let i = 0; i < values.length; i++) if (values[i] !== back[i]) return undefined
  return bits
}
