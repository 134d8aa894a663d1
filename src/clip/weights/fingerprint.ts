import { mapLimited } from '../../base/overlap.ts'
import { sha256 } from '../../base/sha256.ts'
import type { ClipConfig, Weights } from '../types.ts'

/**
 * Hex SHA-256 over configuration, preprocessing and all weights (as float32, by canonical name): the same model has the
 * same fingerprint whatever layout it is stored in. Key of cached features.
 */
export async function fingerprintOf(config: ClipConfig, weights: Weights): Promise<string> {
  const lines = await mapLimited([...weights.keys()].sort(), AT_ONCE, async (name) => {
    const tensor = weights.get(name)
    return tensor === undefined ? [] : [`${name} (${tensor.shape.join(', ')}) ${await sha256(tensor.data)}`]
  })
  return sha256([JSON.stringify(sortedKeys(config)), ...lines.flat()].join('\n'))
}

/** Hashes at a time, each on a thread of its own; each has a copy of its tensor. */
const AT_ONCE = 3

/** The same value with the keys of every object in order, so that equal configurations print alike. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]))
}
