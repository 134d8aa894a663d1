import { breathing } from '../../base/breathe.ts'
import { CoopError } from '../../base/errors.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'

/**
 * Features `(n, d)` from their mean, at length 1: what all pictures share says nothing of one of them. Rows that are the mean
 * stay zero.
 * @throws CoopError where a feature is no finite number
 */
export async function centredRows({ shape, data }: FloatTensor): Promise<FloatTensor> {
  const [n, d] = dims({ shape }, 2, 'features')
  const mean = new Float64Array(d)
  await breathing(n, (i) => {
    for (let j = 0; j < d; j++) mean[j]! += data[i * d + j]! / n
  })
  if (!mean.every(Number.isFinite)) {
    throw new CoopError(
      'the features of some pictures are no finite numbers',
      'check the model: coop-ts models MODEL; or compute its features again in another cache folder (--cache)',
    )
  }
  const rows = floatTensor([n, d])
  await breathing(n, (i) => {
    const row = rows.data.subarray(i * d, (i + 1) * d)
    let squares = 0
    for (let j = 0; j < d; j++) {
      row[j] = data[i * d + j]! - mean[j]!
      squares += row[j]! ** 2
    }
    // rounding leaves a little of what is the mean
    const length = Math.sqrt(squares)
    for (let j = 0; j < d; j++) row[j] = length > ROUNDING * lengthOf(mean) ? row[j]! / length : 0
  })
  return rows
}

const ROUNDING = 1e-6
const lengthOf = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
