import { UsageError } from '../base/errors.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { OnlineViews, PixelSource } from '../learning/batches.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { type Fold, judgedImages, type OutOfFold } from '../learning/folds.ts'
import { meanShots, meanViews, someRows, subsetRows } from '../learning/labelled-rows.ts'
import type { LearnOptions } from '../learning/types.ts'
import type { AnyMethod, Task } from './method.ts'

export interface OutOfFoldOptions extends Pick<LearnOptions, 'signal' | 'onProgress'> {
  /**
   * `(images, embed)`: features of the images as they are tested. Default: the mean of the views of each in `train`,
   * which is exact where they are plain pictures, one view each; augmented views are harder than what they are views of.
   */
  readonly tested?: FloatTensor
  /** Logits `(some images, classes)` of a classifier about images; default: of their features in `tested`. */
  readonly ask?: (classifier: ImageClassifier, images: readonly number[]) => Promise<FloatTensor>
  /** Told of each fold that was learned. */
  readonly onFold?: (done: number, total: number) => void
}

/**
 * Learns by a method once for each fold, from its `train`, and asks the classifier about its `held`: of every image that is
 * held by a fold, what a classifier says that has not seen it. A class's only image is held by none (foldsOf), and has
 * no row. Images in `val` are those of the task, in every fold.
 *
 * @throws UsageError for a classifier that looks at pixels, of which training has augmented views only, without `ask`
 */
export async function outOfFold(
  method: AnyMethod,
  task: Task,
  settings: unknown,
  folds: readonly Fold[],
  options: OutOfFoldOptions = {},
): Promise<OutOfFold> {
  const { train } = task
  const classes = task.classNames.length
  const { onFold, signal, onProgress } = options
  const ask = options.ask ?? askFeatures(method, options.tested ?? (await meanViews(train)).x)
  const images = judgedImages(folds)
  const rowOf = new Map(images.map((image, row) => [image, row]))
  const logits = floatTensor([images.length, classes])
  for (const [done, { train: seen, held }] of folds.entries()) {
    signal?.throwIfAborted()
    const part = partOf(task, seen)
    const learned = await method.learn(part, settings, { signal, onProgress })
    const classifier = await method.classifier(part, settings, learned)
    try {
      const { data } = await ask(classifier, held)
      for (const [i, image] of held.entries()) {
        logits.data.set(data.subarray(i * classes, (i + 1) * classes), rowOf.get(image)! * classes)
      }
    } finally {
      await classifier.dispose()
    }
    onFold?.(done + 1, folds.length)
  }
  return { images, labels: images.map((i) => train.labels[i]!), logits }
}

const askFeatures =
  ({ name }: AnyMethod, tested: FloatTensor): NonNullable<OutOfFoldOptions['ask']> =>
  async (classifier, images) => {
    if (classifier.takes === 'features') return classifier.logits(someRows(tested, images))
    throw new UsageError(`${name} looks at pixels, and cannot be judged by folds of features`)
  }

/** The task with some of its training images. */
function partOf(task: Task, images: readonly number[]): Task {
  const train = subsetRows(task.train, images)
  const shots = Math.min(task.shots, meanShots(train.labels))
  return {
    ...task,
    train,
    shots,
    online: task.online && viewsOf(task.online, images),
    pixels: task.pixels && pixelsOf(task.pixels, images),
  }
}

function viewsOf(online: OnlineViews, images: readonly number[]): OnlineViews {
  const trunk = online.trunk?.bind(online)
  return {
    key: `${online.key} of ${images.join()}`,
    features: async (epoch) => someRows(await online.features(epoch), images),
    trunk: trunk && (async (epoch) => someRows(await trunk(epoch), images)),
  }
}

function pixelsOf(pixels: PixelSource, images: readonly number[]): PixelSource {
  return {
    images: images.length,
    pixels: (some, epoch) =>
      pixels.pixels(
        some.map((i) => images[i]!),
        epoch,
      ),
  }
}
