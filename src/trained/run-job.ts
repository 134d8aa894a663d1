import type { Hooks } from '../base/progress.ts'
import { architectureOf } from '../clip/known-models.ts'
import { distinctNames, placesAmong } from '../data/class-names.ts'
import { exifOfDataset } from '../data/items.ts'
import { dims } from '../graph/tensor.ts'
import { atChance, lossOf, neverFell } from '../learning/chance.ts'
import { accuracyOf, type ImageClassifier } from '../learning/classifier.ts'
import type { LearnOptions, Step } from '../learning/types.ts'
import { argmaxRows } from '../learning/vectors.ts'
import { type AnyMethod, type Chosen, type Classes, howChosen, type Learned, methodNamed } from '../methods/index.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import type { Runtime } from '../runtime/types.ts'
import type { JobInputs, TestSet } from './inputs.ts'
import { countedShots, type Job } from './job.ts'
import { judgedByFolds } from './judge.ts'
import { type RememberedModel, type UsedModel, writeLearned } from './learned.ts'
import { answersOf, type Judged, judge, logitsOf, judged as said, sharesOf } from './measure.ts'
import { type EncodedItems, type EncodeOptions, someItems } from './pictures.ts'
import type { PictureReader } from './reader.ts'
import type { RunRecord } from './record.ts'
import type { Decisive, RunCheckpoint } from './run-files.ts'
import { trustOf, worthByFolds, worthOnTest } from './trust.ts'

/** Where a run is kept while it learns and afterwards. */
export interface JobStore {
  /** Keeps what decides the numbers; what is left of a run with exactly the same settings is gone on with. */
  begin(settings: Decisive): Promise<void>
  checkpoint(settings: Decisive): RunCheckpoint
  /** Where out-of-fold logits are kept, while it learns and afterwards. */
  judged(settings: Decisive): RunCheckpoint
  /** Keeps the steps while it learns, and at its end. */
  readonly metrics: {
    onSteps(steps: readonly Step[]): unknown
    end(steps: readonly Step[]): Promise<void>
  }
  /** What is written down of the model. */
  remembered(model: UsedModel, fingerprint: string): RememberedModel
  learned(file: Uint8Array<ArrayBuffer>): Promise<void>
  /** Keeps the result of a run, which has then finished. */
  finish(record: RunRecord): Promise<void>
}

/** On what a job is done. */
export interface JobContext {
  readonly runtime: Runtime
  readonly reader: PictureReader
  readonly pictures: EncodeOptions
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
  /** What the run's speed and last digits depend on. */
  environment(): RunRecord['environment']
}

/**
 * Learns, measures and keeps one run; if it was interrupted, it resumes from its checkpoint, if there is one.
 * Killed at any moment and done again, it ends with the very same numbers as when left alone (with the same number of
 * threads).
 */
export async function learnJob(
  store: JobStore,
  job: Job,
  inputs: JobInputs,
  context: JobContext,
  hooks: Hooks & Pick<LearnOptions, 'onSteps'>,
): Promise<RunRecord> {
  const { runtime, reader, pictures } = context
  const { clip, test, train, online, pixels, folds, plain, others, val, precision } = inputs
  const method = methodNamed(job.method, context.methods)
  const { classNames, epochs, testShare } = test.dataset
  const classes = { clip, runtime, classNames, templates: test.dataset.templates ?? DEFAULT_TEMPLATES }
  const settings = whatDecides(job, inputs)
  const exif = exifOfDataset(test.dataset)
  await store.begin(settings)

  const [checkpoint, kept] = [store.checkpoint(settings), store.judged(settings)]
  const shots = countedShots(job, train.labels)
  const task = { ...classes, train, online, pixels, val, shots, seed: job.seed, epochs }
  const onSteps: LearnOptions['onSteps'] = async (steps, tensors) => {
    await store.metrics.onSteps(steps)
    await hooks.onSteps?.(steps, tensors)
  }
  const learned = await method.learn(task, job.settings, { ...hooks, checkpoint, onSteps })
  await store.metrics.end(learned.steps)
  const ask = (classifier: ImageClassifier, images: EncodedItems, hooks?: Hooks) =>
    logitsOf(reader, classifier, clip, images, pictures, hooks)
  const askPlain = (classifier: ImageClassifier, images: readonly number[]) => ask(classifier, someItems(plain, images))
  const judged = await judgedByFolds(method, task, job.settings, folds, learned.outOfFold, askPlain, kept, hooks)

  const classifier = await method.classifier(classes, job.settings, learned)
  let measured: Measured | undefined
  let worth: RunRecord['worth'] = null
  const elsewhere: Record<string, number> = {}
  try {
    const trust = judged && (await trustOf(judged, await ask(classifier, others.train), job))
    const model = store.remembered(inputs.model, clip.fingerprint)
    await store.learned(
      await writeLearned({ ...job, ...classes, testShare, trust, method, model, exif, precision, ...learned }),
    )
    const { labels } = test.images
    if (labels.length > 0 && trust === undefined) {
      measured = { on: 'test', ...(await judge(reader, classifier, clip, test.images, pictures, hooks)), labels }
    } else if (labels.length > 0 && trust !== undefined) {
      const logits = await ask(classifier, test.images, hooks)
      measured = { on: 'test', ...(await said(logits, labels)), labels }
      worth = await worthOnTest({ logits, labels }, await ask(classifier, others.test), trust, job)
    } else if (judged !== undefined && trust !== undefined) {
      if (job.crossValidate) {
        measured = { on: 'cross-validated', ...(await said(judged.logits, judged.labels)), labels: judged.labels }
      }
      worth = await worthByFolds(judged, await ask(classifier, others.train), trust, job)
    }
    for (const other of inputs.elsewhere) {
      const found = await accuracyElsewhere(reader, method, classifier, classes, other, job, learned, pictures, hooks)
      if (found !== undefined) elsewhere[other.name] = found
      else
        hooks.onWarning?.(
          `${job.id}: ${job.title} does not know the classes of ${other.name}, so it is not measured there`,
        )
    }
  } finally {
    await classifier.dispose()
  }
  const { id, dataset, split, title, seed, transforms, views } = job
  const shares = measured && sharesOf(classNames, measured.answers, measured.labels, measured.above)
  const record: RunRecord = {
    id,
    dataset,
    classes: classNames.length,
    split,
    method: job.method,
    title,
    settings: job.settings,
    shots: job.shots,
    seed,
    model: { name: job.model, fingerprint: clip.fingerprint, architecture: architectureOf(clip.config) },
    transforms,
    views,
    precision: inputs.compared,
    trained: train.labels.length,
    measured: measured?.on ?? 'nothing',
    tested: measured?.labels.length ?? 0,
    accuracy: shares?.accuracy ?? null,
    chance: shares?.chance ?? null,
    interval: shares?.interval ?? null,
    top5: shares?.top5 ?? null,
    meanPerClass: shares?.meanPerClass ?? null,
    perClass: shares?.perClass ?? null,
    classNames: distinctNames(classNames),
    confusion: shares?.confusion.map((row) => [...row]) ?? null,
    chosen: howChosen(method, job.settings, val.labels.length > 0 ? valKind(job, test.dataset) : undefined),
    data: inputs.drawn,
    planned: job.planned,
    worth,
    zeroShot: inputs.zeroShot,
    elsewhere,
    facts: learned.facts,
    loss: lossOf(learned.steps) ?? null,
    collapsed: measured !== undefined && atChance(measured.answers, measured.labels),
    steps: learned.steps.length,
    seconds: Math.max(checkpoint.spent(), kept.spent()),
    environment: context.environment(),
  }
  await store.finish(record)
  warnOfPoorLearning(record, learned, hooks)
  return record
}

/** Answers to pictures, and what they are. */
interface Measured extends Judged {
  readonly on: NonNullable<RunRecord['measured']>
  readonly labels: readonly number[]
}

/** What settings.json says: all that decides a run's numbers. */
export function whatDecides(
  job: Job,
  inputs: Pick<JobInputs, 'clip' | 'test' | 'train' | 'val' | 'online' | 'drawn' | 'precision'>,
): Decisive {
  const { train, val, test, online, drawn, precision } = inputs
  return {
    ...decidesBefore(job, inputs.clip.fingerprint, test.dataset),
    precision,
    images: { train: online?.key ?? train.key, val: val.key, test: test.images.key },
    pictures: drawn,
  }
}

/** What of it is known before a picture is looked at. */
export function decidesBefore(job: Job, fingerprint: string, dataset: TestSet['dataset']): Decisive {
  const { classNames, templates = DEFAULT_TEMPLATES, testShare } = dataset
  const { method, settings, shots, seed, views, transforms, split, crossValidate, sets, errorRate } = job
  // runs before there was a choice ignored it and say nothing
  const exif = exifOfDataset(dataset) === 'turn' ? 'turn' : undefined
  const crossValidated = crossValidate && dataset.test.length === 0 ? true : undefined
  // cheap ones are made in any case, and change nothing of what is measured on test images
  const folds = crossValidated || job.calibrate ? job.folds : undefined
  const judged = { folds, crossValidated, sets, errorRate }
  const drawn = { shots, seed, views, transforms, exif, split, testShare, ...judged }
  return { method, settings, ...drawn, model: fingerprint, classNames, templates }
}

/** Of what kind the images to choose settings by are. */
const valKind = ({ shots }: Job, { valIsTest }: TestSet['dataset']): Chosen =>
  valIsTest ? 'test images' : shots === 'all' ? 'full val' : 'few-shot val'

function warnOfPoorLearning({ title, loss, collapsed }: RunRecord, { steps }: Learned, { onWarning }: Hooks): void {
  const remedy = 'try another seed (--seed), another learning rate or more epochs (--epochs)'
  if (collapsed && steps.length > 0) onWarning?.(`${title} ended at chance: it is no better than guessing; ${remedy}`)
  else if (loss && neverFell(steps)) {
    const [first, last] = [loss.first.toFixed(2), loss.last.toFixed(2)]
    onWarning?.(`${title}: the loss did not fall: ${first} at the start and ${last} at the end; ${remedy}`)
  }
}

/**
 * Accuracy on another set's test images among that set's classes: with what was learned put to its class names, or, for a
 * method bound to its classes, by the logits of those that the set names too. Undefined where neither works.
 */
async function accuracyElsewhere(
  reader: PictureReader,
  method: AnyMethod,
  own: ImageClassifier,
  { clip, runtime }: Classes,
  { dataset, images }: TestSet,
  job: Job,
  learned: Learned,
  pictures: EncodeOptions,
  hooks: Hooks,
): Promise<number | undefined> {
  const { classNames, templates = DEFAULT_TEMPLATES } = dataset
  const share = (answers: readonly number[]) => accuracyOf(classNames, answers, images.labels).accuracy
  if (method.transfers(job.settings)) {
    const classifier = await method.classifier({ clip, runtime, classNames, templates }, job.settings, learned)
    return share(await answersOf(reader, classifier, clip, images, pictures, hooks).finally(() => classifier.dispose()))
  }
  const columns = placesAmong(own.classNames, classNames)
  if (columns.includes(-1)) return undefined
  const logits = await logitsOf(reader, own, clip, images, pictures, hooks)
  const [n, all] = dims(logits, 2)
  const chosen = Float32Array.from({ length: n * columns.length }, (_, i) => {
    const column = columns[i % columns.length] ?? 0
    return logits.data[Math.floor(i / columns.length) * all + column] ?? 0
  })
  return share(argmaxRows({ dtype: 'float32', shape: [n, columns.length], data: chosen }))
}
