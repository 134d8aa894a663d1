import type { Dataset, Item } from './items.ts'

/** Which classes to learn: all, or CoCoOp's first half ("base"). */
export const CLASS_SPLITS = ['all', 'base'] as const
export type ClassSplit = (typeof CLASS_SPLITS)[number]

/** Which classes to keep: those, or the second half ("new"). */
export type Half = ClassSplit | 'new'

/**
 * A data set with half of its classes (official: `OxfordPets.subsample_classes`): the first ceil(n / 2) labels are
 * "base", the rest "new"; those that stay are counted from 0 again. The official code draws its few shots from the whole
 * data set and takes the half afterwards, so that base and new belong to the same draw.
 */
export function halfOf<D extends Pick<Dataset, 'classNames' | 'train' | 'val' | 'test'>>(dataset: D, half: Half): D {
  if (half === 'all') return dataset
  const { classNames, train, val, test } = dataset
  const middle = Math.ceil(classNames.length / 2)
  const [first, end] = half === 'base' ? [0, middle] : [middle, classNames.length]
  const keep = (items: readonly Item[]) =>
    items.flatMap((item) => (item.label >= first && item.label < end ? [{ ...item, label: item.label - first }] : []))
  return {
    ...dataset,
    classNames: classNames.slice(first, end),
    train: keep(train),
    val: keep(val),
    test: keep(test),
  }
}
