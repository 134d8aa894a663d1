import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import type { Fold, OutOfFold } from '../learning/folds.ts'
import { someRows } from '../learning/labelled-rows.ts'
import type { CheckpointStore, Tensors } from '../learning/types.ts'
import type { AnyMethod, Task } from '../methods/index.ts'
import { outOfFold } from '../methods/out-of-fold.ts'
import type { OutOfFoldJudged } from './trust.ts'

/** Of each fold, in progress. */
const PARTS = 100
/** Parts into which pictures are divided that a method has judged itself. */
const DIVIDED = 5

/** Of every training image what a learner says that had not seen it (`logits`), and in which part it was held, from 1; 0: in none. */
interface Judging {
  readonly logits: FloatTensor
  readonly folds: FloatTensor
}

/** What was judged, and which of the images learned from these are. */
interface JudgedImages extends OutOfFoldJudged {
  readonly images: readonly number[]
}

/**
 * Out-of-fold logits of what a task learns from. Those of a fold are kept as soon as they are there: killed and begun again,
 * it goes on with the next fold, to the same values. Undefined where there are no folds.
 *
 * @param own of a method that has made them itself
 * @param ask logits of a classifier about images of the training set, as they are tested
 */
export async function judgedByFolds(
  method: AnyMethod,
  task: Task,
  settings: unknown,
  folds: readonly Fold[],
  own: OutOfFold | undefined,
  ask: (classifier: ImageClassifier, images: readonly number[]) => Promise<FloatTensor>,
  kept: CheckpointStore,
  { signal, onProgress }: Hooks,
): Promise<OutOfFoldJudged | undefined> {
  if (folds.length === 0) return undefined
  const { labels } = task.train
  const all = judgingOf(await kept.read(), labels.length, task.classNames.length)
  const keep = () => kept.write(new Map(Object.entries(all)))
  if (own !== undefined && own.images.length > 1) {
    note(all, own, (row) => 1 + (row % DIVIDED))
    await keep()
    return judged(all, labels)
  }
  for (const [k, fold] of folds.entries()) {
    const show = (done: number) => onProgress?.({ kind: 'folds', done: PARTS * k + done, total: PARTS * folds.length })
    if (fold.held.every((i) => all.folds.data[i] === k + 1)) continue
    const onPart: Hooks['onProgress'] = ({ kind, done, total }) =>
      kind === 'train' && show(Math.min(PARTS - 1, Math.floor((PARTS * done) / total)))
    note(all, await outOfFold(method, task, settings, [fold], { ask, signal, onProgress: onPart }), () => k + 1)
    await keep()
    show(PARTS)
  }
  return judged(all, labels)
}

function judgingOf(kept: ReadonlyMap<string, FloatTensor> | undefined, n: number, classes: number): Judging {
  return { logits: kept?.get('logits') ?? floatTensor([n, classes]), folds: kept?.get('folds') ?? floatTensor([n]) }
}

function note({ logits, folds }: Judging, found: OutOfFold, foldOf: (row: number) => number): void {
  const [, classes = 0] = logits.shape
  for (const [row, image] of found.images.entries()) {
    logits.data.set(found.logits.data.subarray(row * classes, (row + 1) * classes), image * classes)
    folds.data[image] = foldOf(row)
  }
}

/**
 * Out-of-fold logits as a run keeps them.
 * @throws FileError where they are not of these pictures
 */
export function judgedOf(kept: Tensors, items: readonly { readonly label: number }[]): JudgedImages {
  const [logits, folds] = [kept.get('logits'), kept.get('folds')]
  if (logits !== undefined && folds?.data.length === items.length)
    return judged(
      { logits, folds },
      items.map(({ label }) => label),
    )
  throw new FileError(
    `the out-of-fold logits of the run are of ${folds?.data.length ?? 0} pictures, not of these ${items.length}`,
    'learn it again: pictures that could not be read were left out',
  )
}

function judged({ logits, folds }: Judging, labels: readonly number[]): JudgedImages {
  const images = Array.from(labels.keys()).filter((i) => folds.data[i] !== 0)
  return {
    images,
    logits: someRows(logits, images),
    labels: images.map((i) => labels[i]!),
    folds: images.map((i) => folds.data[i]!),
  }
}
