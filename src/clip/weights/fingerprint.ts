import { breathing } from '../../base/breathe.ts'
import { mapLimited } from '../../base/overlap.ts'
import { sha256 } from '../../base/sha256.ts'
import { type FloatTensor, storedValues } from '../../graph/tensor.ts'
import type { ClipConfig, Weights } from '../types.ts'

/**
 * Hex SHA-256 over configuration, preprocessing and all weights (as float32, by canonical name): the same model has the
 * same fingerprint whatever layout it is stored in. Key of cached features.
 *
 * @param hash SHA-256 of what comes in pieces, by which weights in files need not all be in memory
 */
export async function fingerprintOf(config: ClipConfig, weights: Weights, hash?: () => Hash): Promise<string> {
  const scratch = new Float32Array(hash === undefined ? 0 : PIECE)
  const hashOf = async (tensor: FloatTensor): Promise<string> => {
    const values = storedValues(tensor)
    if (hash === undefined || values === undefined) return sha256(tensor.data)
    const digest = hash()
    await breathing(Math.ceil(values.length / PIECE), (i) => {
      const found = values.read(i * PIECE, Math.min(values.length, (i + 1) * PIECE), scratch)
      digest.update(new Uint8Array(found.buffer, found.byteOffset, found.byteLength))
    })
    return digest.digest('hex')
  }
  const lines: string[][] = await mapLimited([...weights.keys()].sort(), hash ? 1 : AT_ONCE, async (name) => {
    const tensor = weights.get(name)
    return tensor === undefined ? [] : [`${name} (${tensor.shape.join(', ')}) ${await hashOf(tensor)}`]
  })
  return sha256([JSON.stringify(sortedKeys(config)), ...lines.flat()].join('\n'))
}

/** A hash of bytes that come in pieces, as node:crypto has it. */
export interface Hash {
  update(bytes: Uint8Array): unknown
  digest(form: 'hex'): string
}

/** Values of a piece: a few of these fit a processor's cache. */
const PIECE = 1 << 18

/** Hashes at a time, each on a thread of its own; each has a copy of its tensor. */
const AT_ONCE = 3

/** The same value with the keys of every object in order, so that equal configurations print alike. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]))
}
