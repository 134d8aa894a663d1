import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'

// Some figures of random models amplify rounding past their bound: no two float32 programs agree on them, the reference
// itself is off by as much. Where that is so is measured, by inputs that differ in their last bit.

/** How much further than what the last bits of the input change another float32 program may be. */
export const ALLOWANCE = 3

const COPIES = 4

/** Copies with every value moved up or down by about a unit in the last place of float32. */
export function shaken({ shape, data }: FloatTensor): FloatTensor[] {
  return Array.from({ length: COPIES }, (_, k) => {
    const random = randomFor('golden', 'shaken', k)
    return floatTensor(
      shape,
      data.map((x) => x * (1 + (random.int(2) === 0 ? -1 : 1) * 2 ** -23)),
    )
  })
}
