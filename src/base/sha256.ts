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
