const utf8 = new TextEncoder()

/** Bytes from this many on are kept by reference until the message is put together, so that large tensors are copied once. */
const LARGE = 1 << 16

/** A protobuf message under construction; fields are appended in the order they are set. */
export class Message {
  /** What comes before the first `#length` bytes of `#buffer`. */
  readonly #before: Uint8Array[] = []
  #buffer = new Uint8Array(64)
  #length = 0

  /** Wire type 0: a whole number. */
  int(field: number, value: number): this {
    return this.#tag(field, 0).#varint(value)
  }

  /** Wire type 5: a 32-bit float. */
  float(field: number, value: number): this {
    this.#tag(field, 5).#reserve(4)
    new DataView(this.#buffer.buffer).setFloat32(this.#length, value, true)
    this.#length += 4
    return this
  }

  /** Wire type 1: a 64-bit float. */
  double(field: number, value: number): this {
    this.#tag(field, 1).#reserve(8)
    new DataView(this.#buffer.buffer).setFloat64(this.#length, value, true)
    this.#length += 8
    return this
  }

  /** Wire type 2: bytes with their length before them. Nobody changes them before `bytes` is called. */
  raw(field: number, bytes: Uint8Array): this {
    return this.#tag(field, 2).#varint(bytes.length).#append(bytes)
  }

  text(field: number, value: string): this {
    return this.raw(field, utf8.encode(value))
  }

  message(field: number, value: Message): this {
    this.#tag(field, 2).#varint(value.length)
    for (const part of value.#parts()) this.#append(part)
    return this
  }

  /** Bytes up to now. */
  get length(): number {
    return this.#before.reduce((sum, part) => sum + part.length, this.#length)
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length)
    let offset = 0
    for (const part of this.#parts()) {
      all.set(part, offset)
      offset += part.length
    }
    return all
  }

  #parts(): readonly Uint8Array[] {
    return [...this.#before, this.#buffer.subarray(0, this.#length)]
  }

  #append(bytes: Uint8Array): this {
    if (bytes.length < LARGE) {
      this.#reserve(bytes.length)
      this.#buffer.set(bytes, this.#length)
      this.#length += bytes.length
      return this
    }
    this.#before.push(this.#buffer.subarray(0, this.#length), bytes)
    this.#buffer = new Uint8Array(64)
    this.#length = 0
    return this
  }

  #tag(field: number, wireType: number): this {
    return this.#varint(field * 8 + wireType)
  }

  /**
   * Groups of seven bits, lowest first, each but the last with the top bit set. A negative number is written as 64-bit
   * two's complement: nine groups, then the sign bit.
   */
  #varint(value: number): this {
    this.#reserve(10)
    const end = this.#length + 9
    let rest = value
    while (rest > 0x7f || (rest < 0 && this.#length < end)) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest < 0 ? 1 : rest
    return this
  }

  /** Makes room for further bytes. */
  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length))
    larger.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = larger
  }
}
