import { countOf } from '../../base/count.ts'
import { FileError } from '../../base/errors.ts'
import { roundHalfEven } from '../../base/round.ts'
import { groupByLabel } from '../../data/fewshot.ts'
import type { PythonRandom } from '../../data/python-random.ts'
import type { Entry, Split } from './types.ts'

type Parts = Omit<Split, 'classNames'>

/** One class's images in the order in which they are shuffled. */
export interface ClassImages {
  readonly label: number
  readonly className: string
  readonly names: readonly string[]
}

const TRAIN_SHARE = 0.5
const VAL_SHARE = 0.2
const VAL_SHARE_OF_TRAINVAL = 0.2

/**
 * The official code's split of data that has none: each class in turn is shuffled, half goes to train, a fifth to val,
 * the rest to test. Throws FileError for a class too small to be in all three.
 */
export function splitClasses(folder: string, classes: readonly ClassImages[], random: PythonRandom): Parts {
  const parts = classes.map(({ label, className, names }) => {
    const shuffled = [...names]
    random.shuffle(shuffled)
    const train = roundHalfEven(names.length * TRAIN_SHARE)
    const val = roundHalfEven(names.length * VAL_SHARE)
    const test = names.length - train - val
    if (train < 1 || val < 1 || test < 1) {
      throw new FileError(
        `${folder}: the class "${className}" has ${countOf(names.length, 'image')}, too few for train, val and test`,
        'check that the whole data set was unpacked: a class needs at least 4 images',
      )
    }
    const entries = shuffled.map((name) => ({ name, label }))
    return {
      train: entries.slice(0, train),
      val: entries.slice(train, train + val),
      test: entries.slice(train + val),
    }
  })
  return {
    train: parts.flatMap(({ train }) => train),
    val: parts.flatMap(({ val }) => val),
    test: parts.flatMap(({ test }) => test),
  }
}

/**
 * The official code's split of training data without a validation part: of each class, in order of first appearance and
 * shuffled, the first fifth goes to val. Throws FileError for a class too small for that.
 */
export function splitTrainval(
  file: string,
  trainval: readonly Entry[],
  random: PythonRandom,
): Pick<Parts, 'train' | 'val'> {
  const parts = groupByLabel(trainval).map((entries) => {
    const val = roundHalfEven(entries.length * VAL_SHARE_OF_TRAINVAL)
    if (val < 1) {
      throw new FileError(
        `${file}: the class of ${entries[0]?.name} has ${entries.length} training images, too few for a validation part`,
        'check that the file is complete: a class needs at least 3 training images',
      )
    }
    const shuffled = [...entries]
    random.shuffle(shuffled)
    return { val: shuffled.slice(0, val), train: shuffled.slice(val) }
  })
  return { train: parts.flatMap(({ train }) => train), val: parts.flatMap(({ val }) => val) }
}
