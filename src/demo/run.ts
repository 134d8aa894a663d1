import { zeroShotClassifier } from '../baselines/zero-shot.ts'
import { type ImageEncoder, imageEncoder } from '../clip/encode.ts'
import { preprocess } from '../clip/preprocess.ts'
import type { Clip } from '../clip/types.ts'
import { drawFewShot } from '../data/fewshot.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { Hooks } from '../progress.ts'
import type { TrainingSet } from '../prompt/batches.ts'
import { accuracyOf, type Classifier } from '../prompt/classifier.ts'
import { type FullBatchLearner, fullBatchLearner } from '../prompt/full-batch.ts'
import { nearestWords } from '../prompt/nearest-words.ts'
import type { Accuracy, Curve, DemoResult, TaskResult } from '../report/types.ts'
import type { Runtime } from '../runtime/types.ts'
import type { DemoImage, Task } from './types.ts'

export interface DemoPlan {
  readonly tasks: readonly Task[]
  readonly shots: readonly number[]
  readonly seeds: readonly number[]
}

const ENCODER_BATCH = 32
const CONTEXT_LENGTH = 16

/** A task's pictures as features. */
interface Encoded {
  readonly task: Task
  readonly train: FloatTensor
  readonly test: FloatTensor
}

/**
 * The paper's main experiment (section 4.2, Fig. 3) on the demo's tasks: hand-written prompt, then CoOp with unified and
 * with class-specific context (M = 16, class at the end) for each number of shots and each seed.
 *
 * @param runtimes each works on one task at a time: several with a thread each are faster than one with several threads,
 *   and the numbers do not depend on how many there are
 */
export async function runDemo(
  clip: Clip,
  runtimes: readonly Runtime[],
  plan: DemoPlan,
  hooks: Hooks = {},
  signal?: AbortSignal,
): Promise<Omit<DemoResult, 'settings' | 'seconds'>> {
  const encoded = await encodeTasks(clip, runtimes, plan.tasks, hooks, signal)
  const total = plan.tasks.length * 2 * plan.shots.length * plan.seeds.length
  let done = 0
  const tick = (detail: string) => hooks.onProgress?.({ kind: 'demo', done: ++done, total, detail })
  const tasks = await spreadOver(runtimes, encoded, (each, runtime) => runTask(clip, runtime, each, plan, tick, signal))
  return { ...averages(tasks.filter((task) => !task.shift)), tasks }
}

async function runTask(
  clip: Clip,
  runtime: Runtime,
  { task, train, test }: Encoded,
  plan: DemoPlan,
  tick: (detail: string) => void,
  signal: AbortSignal | undefined,
): Promise<TaskResult> {
  const { name, title, prompt, classNames } = task
  const zeroShot = accuracy(await zeroShotClassifier(clip, runtime, classNames, [prompt]), test, task)
  const curves: Curve[] = []
  let learned: FloatTensor | undefined
  for (const classSpecific of [false, true]) {
    const shape = { M: CONTEXT_LENGTH, position: 'end', classSpecific } as const
    const learner = await fullBatchLearner(clip, runtime, classNames, shape, Math.max(...plan.shots))
    const curve: Record<string, Accuracy> = {}
    for (const shots of plan.shots) {
      const found: number[] = []
      for (const seed of plan.seeds) {
        const { value, ctx } = await learnOnce(learner, task, train, test, shots, seed, signal)
        found.push(value)
        if (!classSpecific) learned = ctx
        tick(`${name}, ${shots} ${shots === 1 ? 'shot' : 'shots'}, seed ${seed}`)
      }
      curve[shots] = spread(found)
    }
    await learner.dispose()
    curves.push(curve)
  }
  const nearest = learned === undefined ? [] : await nearestWords(clip, runtime, learned)
  const words = nearest.flatMap(([word]) => (word === undefined ? [] : [word.word]))
  const [coop = {}, coopCsc = {}] = curves
  const chance = 1 / classNames.length
  const result = { name, title, classes: classNames.length, chance, zeroShot, prompt, coop, coopCsc, words }
  return task.shift ? { ...result, shift: true } : result
}

async function learnOnce(
  learner: FullBatchLearner,
  task: Task,
  train: FloatTensor,
  test: FloatTensor,
  shots: number,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<{ value: number; ctx: FloatTensor }> {
  const rows = task.train.map(({ label }, row) => ({ label, row }))
  const subset = drawFewShot(rows, [], shots, seed).train
  const { ctx } = await learner.learn(subsetOf(train, subset), seed, signal)
  return { value: accuracy(await learner.classifier(ctx), test, task), ctx }
}

function subsetOf(
  features: FloatTensor,
  rows: readonly { readonly row: number; readonly label: number }[],
): TrainingSet {
  const [, embed = 0] = features.shape
  const chosen = floatTensor([rows.length, 1, embed])
  for (const [i, { row }] of rows.entries())
    chosen.data.set(features.data.subarray(row * embed, (row + 1) * embed), i * embed)
  return { features: chosen, labels: rows.map(({ label }) => label) }
}

function accuracy(classifier: Classifier, test: FloatTensor, task: Task): number {
  return accuracyOf(
    classifier,
    classifier.predict(test),
    task.test.map(({ label }) => label),
  ).accuracy
}

async function encodeTasks(
  clip: Clip,
  runtimes: readonly Runtime[],
  tasks: readonly Task[],
  hooks: Hooks,
  signal: AbortSignal | undefined,
): Promise<Encoded[]> {
  const total = tasks.reduce((sum, { train, test }) => sum + train.length + test.length, 0)
  let done = 0
  const advance = (count: number) => {
    signal?.throwIfAborted()
    done += count
    hooks.onProgress?.({ kind: 'features', done, total })
  }
  return spreadOver(runtimes, tasks, async (task, runtime) => {
    const encoder = await imageEncoder(clip, runtime, ENCODER_BATCH)
    const features = async (images: readonly DemoImage[]) =>
      floatTensor([images.length, clip.config.embedDim], await encodePictures(clip, encoder, images, advance))
    const encoded = { task, train: await features(task.train), test: await features(task.test) }
    await encoder.dispose()
    return encoded
  })
}

/** Each worker takes the next item as soon as it is done with one; results in the order of the items. */
async function spreadOver<T, W, R>(
  workers: readonly W[],
  items: readonly T[],
  work: (item: T, worker: W) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>()
  const waiting = items.entries()
  await Promise.all(
    workers.map(async (worker) => {
      for (const [i, item] of waiting) results.set(i, await work(item, worker))
    }),
  )
  return items.flatMap((_, i) => {
    const result = results.get(i)
    return result === undefined ? [] : [result]
  })
}

/** Renders the next pictures while the encoder is at work on these. */
async function encodePictures(
  clip: Clip,
  encoder: ImageEncoder,
  images: readonly DemoImage[],
  advance: (count: number) => void,
): Promise<Float32Array> {
  const { embedDim } = clip.config
  const all = new Float32Array(images.length * embedDim)
  const pixels = (start: number) =>
    Promise.all(
      images
        .slice(start, start + ENCODER_BATCH)
        .map(async (image) => preprocess(await image.render(), clip.config.preprocess)),
    )
  let next = pixels(0)
  for (let start = 0; start < images.length; start += ENCODER_BATCH) {
    const batch = await next
    const encoding = encoder.encode(batch)
    next = pixels(start + ENCODER_BATCH)
    all.set(await encoding, start * embedDim)
    advance(batch.length)
  }
  return all
}

/** Mean and sample deviation (0 for a single value). */
function spread(values: readonly number[]): Accuracy {
  const mean = average(values)
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
}

const average = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length

/** Means over tasks; the deviation of a mean is the mean deviation. */
function averages(tasks: readonly TaskResult[]): Pick<DemoResult, 'chance' | 'zeroShot' | 'coop' | 'coopCsc'> {
  const curve = (of: (task: TaskResult) => Curve): Curve =>
    Object.fromEntries(
      Object.keys(tasks[0] ? of(tasks[0]) : {}).map((shots) => {
        const at = tasks.flatMap((task) => of(task)[shots] ?? [])
        return [shots, { mean: average(at.map(({ mean }) => mean)), sd: average(at.map(({ sd }) => sd)) }]
      }),
    )
  return {
    chance: average(tasks.map(({ chance }) => chance)),
    zeroShot: average(tasks.map(({ zeroShot }) => zeroShot)),
    coop: curve(({ coop }) => coop),
    coopCsc: curve(({ coopCsc }) => coopCsc),
  }
}
