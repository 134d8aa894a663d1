/** Hex SHA-256 of bytes, or of a text in UTF-8 (Web Crypto: Node, workers, pages on https or localhost). */
export async function sha256(content: ArrayBufferView | string): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : bytesOf(content)
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Web Crypto wants memory that is not shared; what is gets copied. */
function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength))
}

/**
 * Hex SHA-256 of bytes at once, where nobody can wait for Web Crypto: some ten times slower (FIPS 180-4, section 6.2).
 */
export function sha256Sync(bytes: Uint8Array): string {
  const blocks = new DataView(new ArrayBuffer(64 * Math.ceil((bytes.length + 9) / 64)))
  new Uint8Array(blocks.buffer).set(bytes)
  blocks.setUint8(bytes.length, 0x80)
  blocks.setBigUint64(blocks.byteLength - 8, BigInt(bytes.length) * 8n)
  const hash = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))
  const w = new Uint32Array(64)
  for (let at = 0; at < blocks.byteLength; at += 64) {
    for (let t = 0; t < 16; t++) w[t] = blocks.getUint32(at + 4 * t)
    addBlock(hash, w)
  }
  return Array.from(hash, (word) => word.toString(16).padStart(8, '0')).join('')
}

const PRIMES = Array.from({ length: 312 }, (_, n) => n).filter(
  (n) => n > 1 && ![2, 3, 5, 7, 11, 13, 17].some((p) => n !== p && n % p === 0),
)

/** The first 32 bits of a number's fractional part. */
const fraction = (x: number) => ((x % 1) * 2 ** 32) >>> 0

const K = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)))

const turned = (x: number, by: number) => (x >>> by) | (x << (32 - by))

/** @param w the 16 words of the block, followed by room for 48 */
function addBlock(hash: Uint32Array, w: Uint32Array): void {
  const word = (t: number) => w[t] ?? 0
  for (let t = 16; t < 64; t++) {
    const [x, y] = [word(t - 15), word(t - 2)]
    const small0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)
    const small1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)
    w[t] = word(t - 16) + small0 + word(t - 7) + small1
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash
  for (let t = 0; t < 64; t++) {
    const large1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    const t1 = (h + large1 + ((e & f) ^ (~e & g)) + (K[t] ?? 0) + word(t)) | 0
    const large0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
    const t2 = large0 + ((a & b) ^ (a & c) ^ (b & c))
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [i, x] of [a, b, c, d, e, f, g, h].entries()) hash[i] = (hash[i] ?? 0) + x
}
