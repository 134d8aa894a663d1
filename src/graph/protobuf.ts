const utf8 = new TextEncoder()

/** A protobuf message under construction; fields are appended in the order they are set. */
export class Message {
  readonly #chunks: Uint8Array[] = []
  #length = 0

  /** Wire type 0: a whole number. */
  int(field: number, value: number): this {
    return this.#tag(field, 0).#push(varint(value))
  }

  /** Wire type 5: a 32-bit float. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    return this.#tag(field, 5).#push(bytes)
  }

  /** Wire type 2: bytes with their length before them. */
  raw(field: number, bytes: Uint8Array): this {
    return this.#tag(field, 2).#push(varint(bytes.length)).#push(bytes)
  }

  text(field: number, value: string): this {
    return this.raw(field, utf8.encode(value))
  }

  message(field: number, value: Message): this {
    this.#tag(field, 2).#push(varint(value.#length))
    for (const chunk of value.#chunks) this.#push(chunk)
    return this
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length)
    let offset = 0
    for (const chunk of this.#chunks) {
      all.set(chunk, offset)
      offset += chunk.length
    }
    return all
  }

  #tag(field: number, wireType: number): this {
    return this.#push(varint(field * 8 + wireType))
  }

  #push(bytes: Uint8Array): this {
    this.#chunks.push(bytes)
    this.#length += bytes.length
    return this
  }
}

/**
 * Groups of seven bits, lowest first, each but the last with the top bit set. A negative number is written as 64-bit
 * two's complement: nine groups, then the sign bit.
 */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f || (rest < 0 && bytes.length < 9)) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest < 0 ? 1 : rest)
  return Uint8Array.from(bytes)
}
