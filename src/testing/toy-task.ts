import { randomFor } from '../base/random.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { TrainingSet } from '../learning/batches.ts'
import type { LearningSettings, TrainingTask } from '../methods/coop/train-prompt.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip } from './tiny-clip.ts'

export const toyClasses = ['dog', 'cat', 'house']

export const toySettings: LearningSettings = {
  M: 3,
  position: 'end',
  classSpecific: false,
  init: null,
  epochs: 12,
  batchSize: 4,
  learningRate: 0.05,
  seed: 3,
}

const clip = await tinyClip()

/** Images that can be told apart: `views` views of `shots` images a class, a direction for each class (one that a shared context can reach) with noise. */
export function toySet(shots: number, views = 2): TrainingSet {
  const embed = clip.config.embedDim
  const labels = Array.from({ length: shots * toyClasses.length }, (_, i) => i % toyClasses.length)
  const features = floatTensor([labels.length, views, embed])
  for (const [i, label] of labels.entries()) {
    const direction = randomFor('direction', 1, label)
    const centre = Array.from({ length: embed }, () => direction.normal())
    for (let v = 0; v < views; v++) {
      const noise = randomFor('noise', i, v)
      features.data.set(
        centre.map((x) => x + 0.2 * noise.normal()),
        (i * views + v) * embed,
      )
    }
  }
  return { features, labels }
}

/** A prompt to learn in a second: a tiny CLIP, three classes, four shots. */
export function toyTask(runtime: Runtime, changes: Partial<LearningSettings> = {}): TrainingTask {
  return { clip, runtime, classNames: toyClasses, set: toySet(4), settings: { ...toySettings, ...changes } }
}
