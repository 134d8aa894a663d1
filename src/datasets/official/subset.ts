import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { drawSubset } from '../../data/fewshot.ts'
import type { Item } from '../../data/items.ts'
import { missingImages } from '../check-images.ts'
import { defaultRoot, officialDataset, openOfficialDataset } from './open.ts'

/** Names of images in the order drawn. */
export interface Subset {
  readonly train: readonly string[]
  /** Empty for ImageNet, of whose validation images none are drawn. */
  readonly val: readonly string[]
}

/**
 * The few-shot subset that the official code draws of a data set of the paper. The images need not be there.
 * Throws what openOfficialDataset throws, and UsageError for data sets that are only tested on.
 */
export async function officialSubset(
  name: string,
  { root = defaultRoot(), shots, seed }: { readonly root?: string; readonly shots: number; readonly seed: number },
  hooks: Hooks = {},
): Promise<Subset> {
  const row = officialDataset(name)
  if (row.testOnly) {
    throw new UsageError(`${row.name} is for testing only: it has no few-shot subsets`, 'use imagenet instead')
  }
  const dataset = await openOfficialDataset(name, root, hooks)
  const { train, val } = drawSubset(dataset, shots, seed)
  const drawn = { train, val: dataset.valIsTest ? [] : val }
  const missing = await missingImages([...drawn.train, ...drawn.val])
  if (missing.length > 0) {
    const total = drawn.train.length + drawn.val.length
    hooks.onWarning?.(
      `${missing.length} of the ${countOf(total, 'image')} drawn ${missing.length === 1 ? 'is' : 'are'} not on disk, ${missing[0]?.path} the first`,
    )
  }
  const names = (items: readonly Item[]) => items.map(({ name = '' }) => name)
  return { train: names(drawn.train), val: names(drawn.val) }
}
