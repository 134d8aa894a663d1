import type { ClipConfig, Weights } from '../types.ts'

/**
 * Hex SHA-256 over configuration, preprocessing and all weights (as float32, by canonical name): the same model has the
 * same fingerprint whatever layout it is stored in. Key of cached features.
 */
export async function fingerprintOf(config: ClipConfig, weights: Weights): Promise<string> {
  const lines = [JSON.stringify(sortedKeys(config))]
  for (const name of [...weights.keys()].sort()) {
    const tensor = weights.get(name)
    if (tensor === undefined) continue
    // Web Crypto wants memory that is not shared; weights that are get copied.
    const { buffer, byteOffset, byteLength } = tensor.data
    const bytes =
      buffer instanceof ArrayBuffer
        ? new Uint8Array(buffer, byteOffset, byteLength)
        : new Uint8Array(tensor.data.slice().buffer)
    lines.push(`${name} (${tensor.shape.join(', ')}) ${await sha256(bytes)}`)
  }
  return sha256(new TextEncoder().encode(lines.join('\n')))
}

/** Hex SHA-256 of bytes (Web Crypto: Node, workers, pages on https or localhost). */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The same value with the keys of every object in order, so that equal configurations print alike. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]))
}
