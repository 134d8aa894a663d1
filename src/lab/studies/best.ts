import { z } from 'zod'
import { UsageError } from '../../base/errors.ts'
import { imageEncoder } from '../../clip/encode.ts'
import { trunkWidth } from '../../clip/towers/image-tower.ts'
import type { Clip } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { openOfficialDataset } from '../../datasets/official/open.ts'
import { dims, floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { calibrationError } from '../../learning/calibration.ts'
import { accuracyOf, type ImageClassifier } from '../../learning/classifier.ts'
import { subsetRows } from '../../learning/labelled-rows.ts'
import { argmaxRows, softmaxRows } from '../../learning/vectors.ts'
import { learnFewShot, METHODS } from '../../methods/index.ts'
import { encodeSets } from '../../runs/pictures.ts'
import type { Runtime } from '../../runtime/types.ts'
import { bundledClip } from '../bundled-clip.ts'
import { encodePictures } from '../demo/encode.ts'
import { demoTasks } from '../demo/tasks.ts'
import type { DemoImage } from '../demo/types.ts'
import { keptRows, markdown, processorSeconds, spread } from './kept-rows.ts'
import type { Study } from './study.ts'

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
  /** Of the processor, learning only. */
  seconds: z.number(),
  /** Cross-validated, where the method does. */
  judged: z.number().optional(),
  /** On the training pictures that were not drawn, in the mean of the classes. */
  rest: z.number().optional(),
})
type Row = z.output<typeof rowSchema>

interface Task {
  readonly name: string
  readonly classNames: readonly string[]
  readonly templates: readonly string[]
  /** One view each; of these shots are drawn. */
  readonly train: TrainingSet
  readonly test: TrainingSet
}

/** What each method makes of few pictures, and what `best` adds. */
export const best: Study = {
  name: 'best',
  about: "all methods on the demo's nine tasks and Caltech101, by shots",

  async run(runtime, { root, rows: file, table: tableOnly, say }) {
    const kept = await keptRows(file, rowSchema)
    if (tableOnly) return table(kept.rows)
    if (root === undefined) throw new UsageError('--root names the folder that contains caltech-101')
    const clip = await bundledClip()
    const tasks = [...(await drawnTasks(clip, runtime)), await caltech(clip, runtime, root)]
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
    const { accuracy, ece } = await measured(classifier, test)
    const left = rest.length === 0 ? undefined : await measured(classifier, subsetRows(all, rest))
    const { outOfFold } = learned
    const judged = outOfFold?.images.length
      ? accuracyOf(classNames, argmaxRows(outOfFold.logits), outOfFold.labels).accuracy
      : undefined
    return { accuracy, ece, seconds, judged, rest: left?.meanPerClass }
  } finally {
    await classifier.dispose()
  }
}

/** What a classifier makes of pictures. */
async function measured(classifier: ImageClassifier, { features, trunk, labels }: TrainingSet) {
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
  }
}

/** The demo's tasks whose styles are the same in both parts. */
async function drawnTasks(clip: Clip, runtime: Runtime): Promise<Task[]> {
  const encoder = imageEncoder(clip, runtime, 32)
  const { embedDim } = clip.config
  const encoded = async (images: readonly DemoImage[]): Promise<TrainingSet> => {
    const width = trunkWidth(clip.config)
    const trunk = await encodePictures(clip, { encode: encoder.trunk }, images, () => undefined, width)
    const features = floatTensor([images.length, 1, embedDim], await encoder.project(trunk.data))
    const labels = images.map(({ label }) => label)
    return { features, trunk: floatTensor([images.length, 1, width], trunk.data), labels }
  }
  const tasks: Task[] = []
  for (const { name, classNames, prompt, train, test, shift } of await demoTasks()) {
    if (shift) continue
    tasks.push({ name, classNames, templates: [prompt], train: await encoded(train), test: await encoded(test) })
  }
  await encoder.dispose()
  return tasks
}

async function caltech(clip: Clip, runtime: Runtime, root: string): Promise<Task> {
  const dataset = await openOfficialDataset('caltech101', root)
  const { name, classNames, templates = [] } = dataset
  const [train, test] = await encodeSets(clip, runtime, [{ items: dataset.train }, { items: dataset.test }])
  return { name, classNames, templates, train, test }
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
    '### seconds of the processor',
    byShots((name, shots) => mean(at(name, shots), ({ seconds }) => seconds).toFixed(2)),
    ...tasks.flatMap(ofTask),
  ].join('\n\n')
}
