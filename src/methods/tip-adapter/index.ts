import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { dims, floatTensor, matmul } from '../../graph/index.ts'
import { shuffled } from '../../learning/batches.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { unitRows } from '../../learning/logits.ts'
import { mapRows } from '../../learning/rows.ts'
import type { LearnOptions, Tensors } from '../../learning/types.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { appended, learnedTensor } from '../learned-tensor.ts'
import { type Classes, defineMethod, type Learned, type NewClass, type Task } from '../method.ts'
import { anyNumber, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotClassifier, zeroShotFeatures } from '../zero-shot/features.ts'
import { type Cache, searchWeighting, tipLogits, type Weighting } from './cache.ts'
import { fineTuneKeys } from './fine-tune.ts'

const SOURCE =
  'Zhang et al., "Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification", ECCV 2022 (github.com/gaopengcuhk/Tip-Adapter)'

// defaults: the official configuration of ImageNet; those of other data sets differ in all of these
const settings = z.strictObject({
  templates: templatesSetting,
  /** Weight of the cache: fine-tuned with, and taken where nothing is searched. */
  alpha: anyNumber(0, MANY).default(1.17),
  /** Sharpness of the cache, likewise. */
  beta: positiveNumber(MANY).default(1),
  /** Whether alpha and beta are searched on the validation images, if there are any. */
  search: z.boolean().default(true),
  maxAlpha: anyNumber(0.1, MANY).default(3),
  alphaSteps: wholeNumber(1, 500).default(20),
  maxBeta: anyNumber(0.1, MANY).default(7),
  betaSteps: wholeNumber(1, 10_000).default(200),
})
const fineTuning = settings.extend({
  epochs: wholeNumber(1, MAX_EPOCHS).default(20),
  batchSize: wholeNumber(1, MANY).default(256),
  learningRate: positiveNumber(MAX_RATE).default(0.001),
})
type Settings = z.output<typeof settings>

/** Zero-shot logits plus those of a cache of the training images; nothing is learned by gradients. */
export const tipAdapter = defineMethod({
  name: 'tip-adapter',
  summary: 'hand-written prompts and a cache of training images, without training',
  source: SOURCE,
  pictures: 'views',
  settings,
  title: () => 'Tip-Adapter',
  transfers: () => false,
  validates: ({ search }) => search,
  async learn(task, settings, options) {
    const cache = await cacheOf(task)
    return result(cache, await chosenWeighting(task, settings, cache, options), [])
  },
  classifier: (classes, settings, learned) => tipClassifier(classes, settings, learned),
  addClass: (learned, added) => withKeys(learned, added),
})

/** Tip-Adapter with the keys of the cache fine-tuned. */
export const tipAdapterF = defineMethod({
  name: 'tip-adapter-f',
  summary: 'Tip-Adapter with fine-tuned cache keys',
  source: SOURCE,
  pictures: 'views',
  settings: fineTuning,
  title: () => 'Tip-Adapter-F',
  transfers: () => false,
  validates: ({ search }) => search,
  async learn(task, settings, options) {
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const order = shuffled(task.seed)
    const start = await cacheOf(task)
    const { onSteps } = options
    const { cache, steps } = await fineTuneKeys(task.clip, task, text, start, settings, order, {
      ...options,
      onSteps: onSteps && ((steps, tensors) => onSteps(steps, new Map([...cacheTensors(start, settings), ...tensors]))),
    })
    return result(cache, await chosenWeighting(task, settings, cache, options), steps)
  },
  classifier: (classes, settings, learned) => tipClassifier(classes, settings, learned),
  addClass: (learned, added) => withKeys(learned, added),
})

/** A key an image: the mean of its views, normalised. */
async function cacheOf({ clip, classNames, train }: Task): Promise<Cache> {
  checkEachClass(train, classNames, clip.config.embedDim)
  const { x, labels } = await meanViews(train)
  return { keys: normaliseRows(x), labels }
}

/** The cache with keys of one class more, which stay as they are. */
async function withKeys(learned: Pick<Learned, 'tensors'>, { features, label }: NewClass): Promise<Tensors> {
  const of = new Array<number>(features.shape[0] ?? 0).fill(label)
  const keys = normaliseRows((await meanViews({ features, labels: of })).x)
  const before = learnedTensor(learned, 'keys', ['any', keys.shape[1] ?? 0])
  const labels = Float32Array.from([...learnedTensor(learned, 'labels', [before.shape[0] ?? 0]).data, ...of])
  return new Map([
    ...learned.tensors,
    ['keys', appended(before, keys)],
    ['labels', floatTensor([labels.length], labels)],
  ])
}

/** Alpha and beta, and how they were found. */
async function chosenWeighting(
  task: Task,
  settings: Settings,
  { keys, labels: cacheLabels }: Cache,
  { onProgress, signal }: LearnOptions,
) {
  const { runtime, val } = task
  const { alpha, beta, search } = settings
  if (!search || val.labels.length === 0) return { alpha, beta, facts: { alpha, beta, searched: false } }
  const { x, labels } = await meanViews(val)
  const handWritten = await zeroShotClassifier(withTemplates(task, settings))
  const clipLogits = await handWritten.logits(x).finally(() => handWritten.dispose())
  const affinities = await mapRows(runtime, x, (rows) =>
    matmul(unitRows(rows), rows.graph.weight('keys', keys), { transB: true }),
  )
  const onTried = (done: number, total: number) => onProgress?.({ kind: 'search', done, total })
  const chooser = { affinities, clipLogits, labels }
  const found = await searchWeighting(runtime, chooser, cacheLabels, settings, { onTried, signal })
  const valAccuracy = found.right / labels.length
  return { ...found, facts: { alpha: found.alpha, beta: found.beta, searched: true, valAccuracy } }
}

function result(
  { keys, labels }: Cache,
  { alpha, beta, facts }: Weighting & Pick<Learned, 'facts'>,
  steps: Learned['steps'],
): Learned {
  return { tensors: cacheTensors({ keys, labels }, { alpha, beta }), facts, steps }
}

function cacheTensors({ keys, labels }: Cache, { alpha, beta }: Weighting): Tensors {
  return new Map([
    ['keys', keys],
    ['labels', floatTensor([labels.length], Float32Array.from(labels))],
    ['weighting', floatTensor([2], Float32Array.of(alpha, beta))],
  ])
}

async function tipClassifier(classes: Classes, settings: Settings, learned: Pick<Learned, 'tensors'>) {
  const { clip } = classes
  const keys = learnedTensor(learned, 'keys', ['any', clip.config.embedDim])
  const labels = Array.from(learnedTensor(learned, 'labels', [dims(keys, 2)[0]]).data)
  const [alpha = 0, beta = 0] = learnedTensor(learned, 'weighting', [2]).data
  const text = await zeroShotFeatures(withTemplates(classes, settings))
  return graphClassifier(classes, (x) =>
    tipLogits(clip, x, { keys: x.graph.weight('keys', keys), labels }, text, { alpha, beta }),
  )
}
