import { z } from 'zod'
import { UsageError } from '../../base/errors.ts'
import { imageEncoder } from '../../clip/encode.ts'
import type { Clip } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { openOfficialDataset } from '../../datasets/official/open.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { calibrationError } from '../../learning/calibration.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import { argmaxRows, softmaxRows } from '../../learning/vectors.ts'
import { learnFewShot, METHODS } from '../../methods/index.ts'
import { encodeSets } from '../../runs/pictures.ts'
import type { Runtime } from '../../runtime/types.ts'
import { imageRows } from '../../trained/pictures.ts'
import { bundledClip } from '../bundled-clip.ts'
import { encodePictures, subsetOf } from '../demo/encode.ts'
import { demoTasks } from '../demo/tasks.ts'
import { keptRows, markdown, processorSeconds, spread } from './kept-rows.ts'
import type { Study } from './study.ts'

const SHOTS = [1, 2, 4, 8, 16]
const SEEDS = [1, 2, 3, 4, 5]
/** Every method with its settings as they are; of CoOp the recipe that takes a second. Those that go through the text tower image by image or longer take days. */
const ROWS: readonly { readonly name: string; readonly method: string; readonly settings?: object }[] = [
  ...METHODS.filter(({ name }) => !['coop', 'cocoop', 'kgcoop', 'prograd'].includes(name)).map(({ name }) => ({
    name,
    method: name,
  })),
  { name: 'coop, fast', method: 'coop', settings: { recipe: 'fast' } },
  { name: 'coop, fast, class-specific', method: 'coop', settings: { recipe: 'fast', classSpecific: true } },
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
})
type Row = z.output<typeof rowSchema>

interface Task {
  readonly name: string
  readonly classNames: readonly string[]
  readonly templates: readonly string[]
  /** `(images, embed)`, of which shots are drawn. */
  readonly train: FloatTensor
  readonly labels: readonly number[]
  readonly test: FloatTensor
  readonly testLabels: readonly number[]
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
    for (const seed of SEEDS) {
      for (const task of tasks) {
        for (const shots of SHOTS) {
          for (const { name, method, settings } of ROWS) {
            const about = { task: task.name, name, shots, seed }
            if (kept.rows.some((row) => (['task', 'name', 'shots', 'seed'] as const).every((k) => row[k] === about[k])))
              continue
            const { classNames, templates, labels, test, testLabels } = task
            const drawn = drawFewShot(
              labels.map((label, row) => ({ label, row })),
              [],
              shots,
              seed,
            ).train
            const train = subsetOf(task.train, drawn)
            const learning = { clip, runtime, classNames, templates, train, method, settings, shots, seed }
            const { result, seconds } = await processorSeconds(() => learnFewShot(learning))
            const logits = await result.classifier.logits(test).finally(() => result.classifier.dispose())
            const { outOfFold } = result.learned
            const { accuracy } = accuracyOf(classNames, argmaxRows(logits), testLabels)
            const judged = outOfFold?.images.length
              ? accuracyOf(classNames, argmaxRows(outOfFold.logits), outOfFold.labels).accuracy
              : undefined
            await kept.add({
              ...about,
              accuracy,
              ece: calibrationError(softmaxRows(logits), testLabels),
              seconds,
              judged,
            })
          }
        }
        say(`seed ${seed}, ${task.name}`)
      }
    }
    return table(kept.rows)
  },
}

/** The demo's tasks whose styles are the same in both parts. */
async function drawnTasks(clip: Clip, runtime: Runtime): Promise<Task[]> {
  const encoder = imageEncoder(clip, runtime, 32)
  const tasks: Task[] = []
  for (const { name, classNames, prompt, train, test, shift } of await demoTasks()) {
    if (shift) continue
    tasks.push({
      name,
      classNames,
      templates: [prompt],
      train: await encodePictures(clip, encoder, train, () => undefined),
      labels: train.map(({ label }) => label),
      test: await encodePictures(clip, encoder, test, () => undefined),
      testLabels: test.map(({ label }) => label),
    })
  }
  await encoder.dispose()
  return tasks
}

async function caltech(clip: Clip, runtime: Runtime, root: string): Promise<Task> {
  const { name, classNames, templates = [], train, test } = await openOfficialDataset('caltech101', root)
  const [learned, tested] = await encodeSets(clip, runtime, [{ items: train }, { items: test }])
  const rows = { train: imageRows(learned), labels: learned.labels, test: imageRows(tested), testLabels: tested.labels }
  return { name, classNames, templates, ...rows }
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
    '### calibration error in %',
    byShots((name, shots) => percent(mean(at(name, shots), ({ ece }) => ece))),
    '### seconds of the processor',
    byShots((name, shots) => mean(at(name, shots), ({ seconds }) => seconds).toFixed(2)),
    ...tasks.flatMap(ofTask),
  ].join('\n\n')
}
