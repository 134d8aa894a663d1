import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hooks } from '../../base/progress.ts'
import type { Clip } from '../../clip/types.ts'
import { placesAmong } from '../../data/class-places.ts'
import type { Dataset } from '../../data/items.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import type { OnlineViews, TrainingSet } from '../../learning/batches.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import { collapsed } from '../../learning/collapse.ts'
import type { CheckpointStore, Step } from '../../learning/types.ts'
import { argmaxRows } from '../../learning/vectors.ts'
import { methodNamed } from '../../methods/index.ts'
import type { Classes, ImageClassifier, Learned } from '../../methods/method.ts'
import { DEFAULT_TEMPLATES } from '../../methods/zero-shot/templates.ts'
import { hashOf } from '../../node/content-hash.ts'
import { fileSource, readText, removeLeftovers, writeFileAtomic } from '../../node/files.ts'
import { exists } from '../../node/run-folder.ts'
import type { RunRecord } from '../../report/record.ts'
import type { Runtime } from '../../runtime/types.ts'
import { type SavedLearned, writeLearned } from '../learned.ts'
import { type EncodedItems, imageRows } from '../pictures.ts'
import { RUN_FILES } from '../run-files.ts'
import type { Job } from './jobs.ts'

/** Test images of some classes, encoded. */
export interface TestSet {
  readonly name: string
  readonly dataset: Pick<Dataset, 'classNames' | 'templates' | 'epochs'>
  readonly images: EncodedItems
}

/** What a job works on. */
export interface JobInputs {
  readonly clip: Clip
  readonly runtime: Runtime
  readonly test: TestSet
  readonly train: TrainingSet
  /** Where views are drawn anew for each epoch. */
  readonly online?: OnlineViews | undefined
  /** Frees what they hold. */
  dispose?(): Promise<void>
  readonly val: TrainingSet
  readonly elsewhere: readonly TestSet[]
  readonly environment: () => RunRecord['environment']
  readonly architecture: string | undefined
  /** The model by a word that finds it from anywhere, unlike the plan's. */
  readonly modelName: string
  /** What else results.json says. */
  readonly also?: Readonly<Record<string, unknown>>
}

/**
 * Learns, measures and keeps one run in its folder; interrupted before, it goes on from its checkpoint where it has one.
 * A run that has its results.json is finished.
 */
export async function runJob(folder: string, job: Job, inputs: JobInputs, hooks: Hooks): Promise<RunRecord> {
  const started = performance.now()
  const { clip, test, train, online, val, also } = inputs
  const method = methodNamed(job.method)
  const at = (file: keyof typeof RUN_FILES) => join(folder, RUN_FILES[file])
  await removeLeftovers(folder)
  await begin(folder, whatDecides(job, inputs))

  const classes = classesOf(inputs, test)
  const task = { ...classes, train, online, val, shots: job.shots, seed: job.seed, epochs: test.dataset.epochs }
  const learned = await method.learn(task, job.settings, { ...hooks, checkpoint: fileCheckpoint(at('checkpoint')) })
  await writeFileAtomic(at('metrics'), learned.steps.map((step) => `${JSON.stringify(step)}\n`).join(''))
  await writeFileAtomic(at('learned'), writeLearned(savedLearned(job, inputs, classes, learned)))

  const classifier = await method.classifier(classes, job.settings, learned)
  const elsewhere: Record<string, number> = {}
  let accuracy: number
  try {
    accuracy = await accuracyOn(classifier, test, hooks)
    for (const other of inputs.elsewhere) {
      const found = await accuracyElsewhere(classifier, other, job, inputs, learned, hooks)
      if (found === undefined)
        hooks.onWarning?.(`${job.id}: ${job.title} knows nothing of the classes of ${other.name}`)
      else elsewhere[other.name] = found
    }
  } finally {
    await classifier.dispose?.()
  }
  const { id, dataset, split, title, settings, shots, seed, transforms, views } = job
  const record: RunRecord = {
    ...{ id, dataset, split, title, settings, shots, seed, transforms, views },
    method: job.method,
    classes: test.dataset.classNames.length,
    model: {
      name: job.model,
      fingerprint: clip.fingerprint,
      ...(inputs.architecture !== undefined && { architecture: inputs.architecture }),
    },
    accuracy,
    elsewhere,
    facts: learned.facts,
    ...lossOf(learned.steps),
    collapsed: endedAtChance(learned.steps, accuracy, test.dataset.classNames.length),
    steps: learned.steps.length,
    seconds: (performance.now() - started) / 1000,
    environment: inputs.environment(),
  }
  await writeFileAtomic(at('results'), `${JSON.stringify({ ...record, ...also }, null, 2)}\n`)
  await Promise.all([at('checkpoint'), at('error')].map((file) => rm(file, { force: true })))
  return record

  function classesOf({ clip, runtime }: JobInputs, { dataset }: TestSet): Classes {
    return { clip, runtime, classNames: dataset.classNames, templates: dataset.templates ?? DEFAULT_TEMPLATES }
  }
}

/** What settings.json says: all that decides a run's numbers. */
export function whatDecides(
  job: Job,
  { clip, test, train, online }: Pick<JobInputs, 'clip' | 'test' | 'train' | 'online'>,
): Record<string, unknown> {
  const { classNames } = test.dataset
  return { job, model: clip.fingerprint, classNames, images: online?.key ?? setHash(train) }
}

/** Writes settings.json; a checkpoint of other settings, model or images is thrown away. */
async function begin(folder: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(folder, RUN_FILES.settings)
  const text = `${JSON.stringify(settings, null, 2)}\n`
  if ((await exists(path)) && (await readText(path)) === text) return
  await rm(join(folder, RUN_FILES.checkpoint), { force: true })
  await writeFileAtomic(path, text)
}

const fileCheckpoint = (path: string): CheckpointStore => ({
  read: async () => ((await exists(path)) ? fileSource(path) : undefined),
  write: (bytes) => writeFileAtomic(path, bytes),
})

function savedLearned(job: Job, { clip, modelName }: JobInputs, classes: Classes, { tensors }: Learned): SavedLearned {
  const { settings, transforms, split } = job
  const { classNames, templates } = classes
  const model = { name: modelName, fingerprint: clip.fingerprint }
  return { method: methodNamed(job.method), settings, classNames, templates, model, transforms, split, tensors }
}

/** Share of right answers. */
async function accuracyOn(classifier: ImageClassifier, { images }: TestSet, hooks: Hooks): Promise<number> {
  return share(classifier, argmaxRows(await classifier.logits(imageRows(images), hooks)), images.labels)
}

const share = (classes: Pick<ImageClassifier, 'classNames'>, predicted: readonly number[], labels: readonly number[]) =>
  accuracyOf(classes, predicted, labels).accuracy

/**
 * Accuracy on another set's test images among that set's classes: with what was learned put to its class names, or, for a
 * method bound to its classes, by the logits of those that the set names too. Undefined where neither works.
 */
async function accuracyElsewhere(
  own: ImageClassifier,
  other: TestSet,
  job: Job,
  { clip, runtime }: JobInputs,
  learned: Learned,
  hooks: Hooks,
): Promise<number | undefined> {
  const method = methodNamed(job.method)
  const { classNames, templates = DEFAULT_TEMPLATES } = other.dataset
  if (method.transfers(job.settings)) {
    const classifier = await method.classifier({ clip, runtime, classNames, templates }, job.settings, learned)
    try {
      return await accuracyOn(classifier, other, hooks)
    } finally {
      await classifier.dispose?.()
    }
  }
  const columns = placesAmong(own.classNames, classNames)
  if (columns.includes(-1)) return undefined
  const logits = columnsOf(await own.logits(imageRows(other.images), hooks), columns)
  return share({ classNames }, argmaxRows(logits), other.images.labels)
}

/** Some columns of a matrix `(n, d)` -> `(n, columns)`. */
function columnsOf({ shape, data }: FloatTensor, columns: readonly number[]): FloatTensor {
  const [n = 0, d = 0] = shape
  const chosen = Float32Array.from(
    { length: n * columns.length },
    (_, i) => data[Math.floor(i / columns.length) * d + (columns[i % columns.length] ?? 0)] ?? 0,
  )
  return { dtype: 'float32', shape: [n, columns.length], data: chosen }
}

/** Whether the loss and the accuracy are both about what guessing gives. */
function endedAtChance(steps: readonly Step[], accuracy: number, classes: number): boolean {
  return collapsed({ losses: steps.map(({ loss }) => loss), classes }) && accuracy < 2 / classes
}

/** Mean loss of the first and of the last tenth of the steps. */
function lossOf(steps: readonly Step[]): Pick<RunRecord, 'loss'> {
  if (steps.length === 0) return {}
  const tenth = Math.max(1, Math.floor(steps.length / 10))
  const mean = (part: readonly Step[]) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length
  return { loss: { first: mean(steps.slice(0, tenth)), last: mean(steps.slice(-tenth)) } }
}

function setHash({ features, labels }: TrainingSet): string {
  const { buffer, byteOffset, byteLength } = features.data
  return hashOf(`${hashOf(new Uint8Array(buffer, byteOffset, byteLength))} ${features.shape} ${labels}`)
}
