import { mapBreathing } from '../../base/breathe.ts'
import { medianOf } from './median.ts'
import type { Neighbours } from './neighbours.ts'

/** A picture unlike all others. */
export interface Outlier {
  readonly picture: number
  /** Mean cosine to its nearest neighbours. */
  readonly likeness: number
}

const NEAREST = 5
/** Deviations above the median; of a normal distribution 1 in 740 is above. */
const FAR = 3
/** Of a normal distribution: its deviation over the median distance from its median. */
const NORMAL = 1.4826

/**
 * Pictures whose distance (1 - likeness) to their nearest neighbours is far above the usual one: 3 robust deviations above
 * the median of its logarithms, as distances are skewed. The strangest come first.
 */
export async function outliersOf(n: number, { count, cosines }: Neighbours): Promise<Outlier[]> {
  const nearest = Math.min(NEAREST, count)
  if (nearest === 0) return []
  const likeness = await mapBreathing(Array(n).keys(), (i) => {
    let sum = 0
    for (let k = 0; k < nearest; k++) sum += cosines[i * count + k]!
    return sum / nearest
  })
  const distances = likeness.map((value) => Math.log(Math.max(LEAST, 1 - value)))
  const usual = medianOf(distances)
  const deviation = NORMAL * medianOf(distances.map((value) => Math.abs(value - usual)))
  if (deviation === 0) return []
  return likeness
    .flatMap((value, picture) =>
      (distances[picture] ?? 0) > usual + FAR * deviation ? [{ picture, likeness: value }] : [],
    )
    .sort((a, b) => a.likeness - b.likeness)
}

/** Distances below it are rounding. */
const LEAST = 1e-6
