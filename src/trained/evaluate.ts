import { some } from '../base/count.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { placesAmong } from '../data/class-names.ts'
import { halfOf } from '../data/halves.ts'
import type { Dataset } from '../data/items.ts'
import { METHODS } from '../methods/index.ts'
import type { Transforms } from '../pictures/transforms.ts'
import type { SavedRun } from './learned.ts'
import type { EncodeOptions } from './pictures.ts'

/** Throws UsageError for a run whose learning says nothing of other classes. */
export function checkTransfers({ run, method, settings, tensors }: SavedRun): void {
  if (method.transfers(settings)) return
  const what = tensors.has('ctx') ? 'a context for each of its classes' : 'to distinguish its own classes'
  const others = METHODS.filter(({ transfers, settings }) => transfers(settings.parse({}))).map(({ name }) => name)
  throw new UsageError(
    `the run ${run} (${method.title(settings)}) learned ${what}, which does not apply to other classes`,
    `transfer (--transfer) needs a run of ${others.join(', ')}, with one context for all classes`,
  )
}

export function warnOfOtherShare(
  { run, testShare: own }: SavedRun,
  { testShare }: { readonly testShare?: number },
  { onWarning }: Hooks,
): void {
  if (own === undefined || testShare === undefined || testShare === own) return
  onWarning?.(
    `${run} was trained with a test share of ${own}, not ${testShare}: of the data set it learned from, some of the ` +
      'pictures tested now may be among those it learned',
  )
}

/** The half of a data set's classes that a run of `split: base` learned, if it learned from that data set. */
export function learnedPart({ run, split, classNames }: SavedRun, dataset: Dataset, { onWarning }: Hooks): Dataset {
  const half = halfOf(dataset, split)
  const isLearned = (places: readonly number[]) =>
    places.length === classNames.length && places.every((p, i) => p === i)
  if (split === 'all' || !isLearned(placesAmong(classNames, half.classNames))) return dataset
  onWarning?.(
    `${run} learned the first half of the classes and is measured on that half (with transfer (--transfer): on all)`,
  )
  return half
}

/** For each class of the data set its place among the run's. Throws UsageError for those that are none of them. */
export function labelsAmong(
  known: readonly string[],
  classNames: readonly string[],
  { run, data, canTransfer }: { readonly run: string; readonly data: string; readonly canTransfer: boolean },
): number[] {
  const labels = placesAmong(known, classNames)
  const strange = classNames.filter((_, i) => labels[i] === -1)
  if (strange.length === 0) return labels
  const other = canTransfer ? ', or use what was learned with the names of this data set (--transfer)' : ''
  throw new UsageError(
    `${data} has classes that the run ${run} did not learn: ${some(strange)}`,
    `the run knows ${some(known)}: rename or remove the other classes${other}`,
  )
}

/** How pictures are encoded for a finished run: cut as in its training unless the options say otherwise, and by the same arithmetic. */
export const picturesFor = <T extends EncodeOptions>(saved: SavedRun, options: T, hooks: Hooks) => ({
  ...options,
  transforms: transformsFor(saved, options, hooks),
  precision: saved.precision,
})

/** How pictures are preprocessed for a finished run: as in its training, or as the options say, with a warning if that differs. */
function transformsFor(
  { run, transforms: own }: SavedRun,
  { transforms }: Pick<EncodeOptions, 'transforms'>,
  { onWarning }: Hooks,
): Transforms {
  if (transforms === undefined || transforms === own) return own
  onWarning?.(
    `${run} was trained on pictures preprocessed as in ${own} and is now given pictures preprocessed as in ${transforms}: ` +
      'do not compare its accuracy with that of other runs',
  )
  return transforms
}
