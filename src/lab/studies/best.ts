import { z } from 'zod'
import { UsageError } from '../../base/errors.ts'
import type { Clip } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { dims, floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { calibrationError, fitTemperature } from '../../learning/calibration.ts'
import { accuracyOf, type ImageClassifier } from '../../learning/classifier.ts'
import { foldsOf } from '../../learning/folds.ts'
import { meanViews, subsetRows } from '../../learning/labelled-rows.ts'
import { logitFactor } from '../../learning/logits.ts'
import { argmaxRows, normaliseRows, softmaxRows } from '../../learning/vectors.ts'
import { learnerOf, outputsOf, sumOf } from '../../methods/best/candidates.ts'

import { type FewShotResult, learnFewShot, METHODS } from '../../methods/index.ts'
import { principalAxes } from '../../methods/linear-probe/principal-axes.ts'
import { outOfFold } from '../../methods/out-of-fold.ts'
import { zeroShotFeatures } from '../../methods/zero-shot/features.ts'
import type { Runtime } from '../../runtime/types.ts'
import { foldsFor } from '../../trained/job.ts'
import { bundledClip } from '../bundled-clip.ts'
import { keptRows, markdown, processorSeconds, spread } from './kept-rows.ts'
import type { Study } from './study.ts'
import { caltechTask, drawnTasks, type StudyTask as Task } from './tasks.ts'

const SHOTS = [1, 2, 4, 8, 16]
const SEEDS = [1, 2, 3, 4, 5]
/** Not here: they learn through the text tower for minutes a run. */
const SLOWEST = ['coop', 'cocoop', 'kgcoop', 'prograd']
/** Those that take longer than a second at 16 shots; measured last. */
const SLOW = ['clip-adapter', 'prolip', 'clap', 'taskres']
const others = METHODS.map(({ name }) => name).filter((name) => !SLOWEST.includes(name))
/** Methods and settings; where none are given, their defaults. */
const PARTS: readonly (readonly { readonly name: string; readonly method: string; readonly settings?: object }[])[] = [
  others.filter((name) => !SLOW.includes(name)).map((name) => ({ name, method: name })),
  [
    ...SLOW.map((name) => ({ name, method: name })),
    { name: 'coop, fast', method: 'coop', settings: { recipe: 'fast' } },
    { name: 'coop, fast, class-specific', method: 'coop', settings: { recipe: 'fast', classSpecific: true } },
  ],
]

const rowSchema = z.object({
  task: z.string(),
  name: z.string(),
  shots: z.int(),
  seed: z.int(),
  /** On the test pictures. */
  accuracy: z.number(),
  ece: z.number(),
  /** After the temperature that a run of it would carry; of the quick methods. */
  calibrated: z.number().optional(),
  /** Of `best`: of its candidates a quarter each, before anything was judged. */
  unjudged: z.number().optional(),
  /** Of the processor, learning only. */
  seconds: z.number(),
  /** Cross-validated, where the method does. */
  judged: z.number().optional(),
  /** On the training pictures that were not drawn, in the mean of the classes. */
  rest: z.number().optional(),
})
type Row = z.output<typeof rowSchema>

/** What each method makes of few pictures, and what `best` adds. */
export const best: Study = {
  name: 'best',
  about: "all methods on the demo's nine tasks and Caltech101, by shots",

  async run(runtime, { root, rows: file, table: tableOnly, say }) {
    const kept = await keptRows(file, rowSchema)
    if (tableOnly) return table(kept.rows)
    if (root === undefined) throw new UsageError('--root names the folder that contains caltech-101')
    const clip = await bundledClip()
    const tasks = [...(await drawnTasks(clip, runtime)), await caltechTask(clip, runtime, root)]
    say(`features of ${tasks.length} tasks`)
    const known = new Set(kept.rows.map(keyOf))
    const planned = PARTS.flatMap((part) =>
      SEEDS.flatMap((seed) =>
        tasks.flatMap((task) => SHOTS.flatMap((shots) => part.map((row) => ({ seed, task, shots, row })))),
      ),
    )
    for (const { seed, task, shots, row } of planned) {
      const about = { task: task.name, name: row.name, shots, seed }
      if (known.has(keyOf(about))) continue
      await kept.add({ ...about, ...(await runOf(clip, runtime, task, row, about)) })
      if (kept.rows.length % 100 === 0) say(`${kept.rows.length} of ${planned.length} runs`)
    }
    return table(kept.rows)
  },
}

const keyOf = ({ task, name, shots, seed }: Pick<Row, 'task' | 'name' | 'shots' | 'seed'>) =>
  JSON.stringify([task, name, shots, seed])

async function runOf(
  clip: Clip,
  runtime: Runtime,
  { classNames, templates, train: all, test }: Task,
  { method, settings }: (typeof PARTS)[number][number],
  { shots, seed }: Pick<Row, 'shots' | 'seed'>,
): Promise<Omit<Row, 'task' | 'name' | 'shots' | 'seed'>> {
  const rows = all.labels.map((label, row) => ({ label, row }))
  const drawn = new Set(drawFewShot(rows, [], shots, seed).train.map(({ row }) => row))
  const rest = rows.flatMap(({ row }) => (drawn.has(row) ? [] : [row]))
  const train = subsetRows(all, [...drawn])
  const task = { clip, runtime, classNames, templates, train, method, settings, shots, seed }
  const { result, seconds } = await processorSeconds(() => learnFewShot(task))
  const { classifier, learned } = result
  try {
    const temperature = SLOW.includes(method) || method === 'coop' ? undefined : await temperatureOf(task, result)
    const { accuracy, ece, calibrated } = await measured(classifier, test, temperature)
    const left = rest.length === 0 ? undefined : await measured(classifier, subsetRows(all, rest))
    const { outOfFold } = learned
    const judged = outOfFold?.images.length
      ? accuracyOf(classNames, argmaxRows(outOfFold.logits), outOfFold.labels).accuracy
      : undefined
    const unjudged = method === 'best' ? await errorOfQuarters(task, test) : undefined
    return { accuracy, ece, calibrated, unjudged, seconds, judged, rest: left?.meanPerClass }
  } finally {
    await classifier.dispose()
  }
}

type LearnedTask = Pick<Task, 'classNames' | 'templates' | 'train'> & {
  readonly clip: Clip
  readonly runtime: Runtime
  readonly shots: number
  readonly seed: number
}

/** The temperature that a run would carry; undefined where there are no folds. */
async function temperatureOf(task: LearnedTask, { method, settings, learned }: FewShotResult) {
  const { train, clip, seed } = task
  const val = { features: floatTensor([0, 1, clip.config.embedDim]), labels: [] }
  const folds = foldsOf(train.labels, { folds: foldsFor(method, false) ?? 2, seed })
  if (method.pictures === 'none' || folds.length === 0) return undefined
  const { logits, labels } = learned.outOfFold ?? (await outOfFold(method, { ...task, val }, settings, folds))
  return fitTemperature(logits, labels)
}

/** Calibration error of the candidates of `best`, learned from all and weighted equally. */
async function errorOfQuarters(task: LearnedTask, test: TrainingSet): Promise<number> {
  const { runtime, clip, train } = task
  const rows = await meanViews(train)
  const text = await zeroShotFeatures(task)
  const x = normaliseRows(rows.x)
  const axes = await principalAxes(x.data, rows.labels.length, clip.config.embedDim)
  const learner = await learnerOf(runtime, { ...rows, x }, axes, text, logitFactor(clip))
  const models = await learner.learn(Array.from(rows.labels.keys())).finally(() => learner.dispose())
  const mixture = sumOf(models, new Array<number>(models.length).fill(1 / models.length))
  const seen = normaliseRows((await meanViews(test)).x)
  return calibrationError(softmaxRows(await outputsOf(runtime, mixture, seen)), test.labels)
}

/** What a classifier makes of pictures. */
async function measured(classifier: ImageClassifier, { features, trunk, labels }: TrainingSet, temperature?: number) {
  const [n] = dims(features, 3)
  const rows = classifier.takes === 'trunk' && trunk ? trunk : features
  const logits = await classifier.logits(floatTensor([n, rows.data.length / Math.max(1, n)], rows.data))
  const answers = argmaxRows(logits)
  const shares = classifier.classNames.flatMap((_, c) => {
    const own = labels.flatMap((label, i) => (label === c ? [answers[i] === c ? 1 : 0] : []))
    return own.length === 0 ? [] : [spread(own).mean]
  })
  return {
    accuracy: accuracyOf(classifier.classNames, answers, labels).accuracy,
    meanPerClass: spread(shares).mean,
    ece: calibrationError(softmaxRows(logits), labels),
    calibrated: temperature && calibrationError(softmaxRows(logits, temperature), labels),
  }
}

function table(rows: readonly Row[]): string {
  const tasks = [...new Set(rows.map(({ task }) => task))]
  const names = [...new Set(rows.map(({ name }) => name))]
  const mean = (some: readonly Row[], of: (row: Row) => number | undefined) =>
    spread(some.flatMap((row) => of(row) ?? [])).mean
  const percent = (x: number) => (Number.isNaN(x) ? '' : (100 * x).toFixed(1))
  const byShots = (of: (name: string, shots: number) => string) =>
    markdown(
      ['', ...SHOTS.map((shots) => `${shots}`)],
      names.map((name) => [name, ...SHOTS.map((shots) => of(name, shots))]),
    )
  const at = (name: string, shots: number, task?: string) =>
    rows.filter((row) => row.name === name && row.shots === shots && (task === undefined || row.task === task))
  const ofTask = (task: string) => [
    `### ${task}`,
    byShots((name, shots) => {
      const { mean, sd } = spread(at(name, shots, task).map(({ accuracy }) => 100 * accuracy))
      return Number.isNaN(mean) ? '' : `${mean.toFixed(1)} ± ${sd.toFixed(1)}`
    }),
  ]
  return [
    `${rows.length} runs`,
    '### accuracy in %, mean of the tasks',
    byShots((name, shots) => percent(mean(at(name, shots), ({ accuracy }) => accuracy))),
    '### cross-validated accuracy in %',
    byShots((name, shots) => percent(mean(at(name, shots), ({ judged }) => judged))),
    '### accuracy on the training pictures that were not drawn in %, mean of the classes',
    byShots((name, shots) => percent(mean(at(name, shots), ({ rest }) => rest))),
    '### calibration error in %',
    byShots((name, shots) => percent(mean(at(name, shots), ({ ece }) => ece))),
    '### after the temperature of a run',
    byShots((name, shots) => percent(mean(at(name, shots), ({ calibrated }) => calibrated))),
    '### of the candidates of best, a quarter each',
    byShots((name, shots) => percent(mean(at(name, shots), ({ unjudged }) => unjudged))),
    '### seconds of the processor',
    byShots((name, shots) => mean(at(name, shots), ({ seconds }) => seconds).toFixed(2)),
    ...tasks.flatMap(ofTask),
  ].join('\n\n')
}
