import {
  aClip,
  anObject,
  aRuntime,
  aSeed,
  aTensor,
  checkArguments,
  optional,
  someHooks,
  someTexts,
  wholeFrom,
  wholes,
} from '../base/arguments.ts'
import { MANY } from '../base/bounds.ts'
import { UsageError } from '../base/errors.ts'
import { floatTensor } from '../graph/tensor.ts'
import type { TrainingSet } from '../learning/batches.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { meanShots } from '../learning/labelled-rows.ts'
import type { LearnOptions } from '../learning/types.ts'
import { checkClassNames } from '../prompt/layout.ts'
import type { AnyMethod, Learned, Task } from './method.ts'
import { readSettings } from './settings.ts'
import { methodNamed } from './table.ts'
import { promptsOfRun } from './templates-setting.ts'
import { DEFAULT_TEMPLATES, type Templates } from './zero-shot/templates.ts'

/** What is learned from, and how; all but model, runtime, class names and images has a default. */
export interface FewShotTask extends Pick<Task, 'clip' | 'runtime' | 'classNames' | 'online' | 'pixels' | 'epochs'> {
  readonly train: TrainingSet
  /** A row of METHODS by its name, or a method of one's own; default: coop. */
  readonly method?: string | AnyMethod
  /** Of the method; what is left out has its default. */
  readonly settings?: object
  /** Images to choose settings by; default: none. */
  readonly val?: TrainingSet
  /** Hand-written prompts; default: "a photo of a {}." */
  readonly templates?: Templates
  /** Default: as many as the classes have in the mean, rounded up. */
  readonly shots?: number
  /** Default: 1. */
  readonly seed?: number
}

/** What learnFewShot ends with. */
export interface FewShotResult {
  readonly method: AnyMethod
  /** Complete. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly learned: Learned
  readonly classifier: ImageClassifier
}

/**
 * Learns a classifier from features of a few images of each class, by any method.
 *
 * @throws UsageError for settings that the method has not; CoopError or ShapeError where classes, images and model do not fit
 */
export async function learnFewShot(task: FewShotTask, options: LearnOptions = {}): Promise<FewShotResult> {
  checkArguments('learnFewShot', { task, options }, { task: anObject, options: someHooks })
  checkArguments(
    'learnFewShot',
    { ...task },
    { clip: aClip, runtime: aRuntime, classNames: someTexts, train: anObject },
  )
  checkArguments(
    'learnFewShot',
    { seed: task.seed, shots: task.shots },
    { seed: optional(aSeed), shots: optional(wholeFrom(1, MANY)) },
  )
  checkArguments('learnFewShot (train)', { ...task.train }, { features: aTensor, labels: wholes })
  checkClassNames(task.clip.tokenizer, task.classNames)
  for (const [what, set] of Object.entries({ train: task.train, val: task.val })) {
    if ([set?.features, set?.trunk].every((rows) => rows === undefined || rows.data.every(Number.isFinite))) continue
    throw new UsageError(
      `learnFewShot: the features in ${what} are not all finite numbers (NaN or infinite)`,
      'compute them again: a picture or the model may be damaged',
    )
  }
  const { clip, train, templates = DEFAULT_TEMPLATES, seed = 1, shots = meanShots(train.labels) } = task
  const method = typeof task.method === 'object' ? task.method : methodNamed(task.method ?? 'coop')
  const settings = readSettings(method, task.settings ?? {})
  const val = task.val ?? { features: floatTensor([0, 1, clip.config.embedDim]), labels: [] }
  const whole: Task = { ...task, templates, seed, shots, val }
  promptsOfRun(task.classNames, task.templates, settings)
  method.check?.(whole, settings)
  const learned = await method.learn(whole, settings, options)
  return { method, settings, learned, classifier: await method.classifier(whole, settings, learned) }
}
