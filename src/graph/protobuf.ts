const text = new TextEncoder()

/** A protobuf message under construction; fields are appended in the order they are set. */
export class Message {
  readonly #chunks: Uint8Array[] = []
  #length = 0

  /** Wire type 0: a whole number, negative ones as 64-bit two's complement. */
  int(field: number, value: number): this {
    this.#varint(BigInt(field << 3))
    this.#varint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  /** Wire type 5: a 32-bit float. */
  float(field: number, value: number): this {
    this.#varint(BigInt((field << 3) | 5))
    this.#push(new Uint8Array(Float32Array.of(value).buffer))
    return this
  }

  /** Wire type 2: bytes with their length before them. */
  raw(field: number, bytes: Uint8Array): this {
    this.#varint(BigInt((field << 3) | 2))
    this.#varint(BigInt(bytes.length))
    this.#push(bytes)
    return this
  }

  text(field: number, value: string): this {
    return this.raw(field, text.encode(value))
  }

  message(field: number, value: Message): this {
    this.#varint(BigInt((field << 3) | 2))
    this.#varint(BigInt(value.#length))
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

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#length += bytes.length
  }

  #varint(value: bigint): void {
    const bytes: number[] = []
    let rest = value
    do {
      const low = Number(rest & 0x7fn)
      rest >>= 7n
      bytes.push(rest === 0n ? low : low | 0x80)
    } while (rest !== 0n)
    this.#push(Uint8Array.from(bytes))
  }
}
