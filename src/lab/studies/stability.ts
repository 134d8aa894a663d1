import { z } from 'zod'
import { DivergedError } from '../../base/errors.ts'
import { largest, smallest } from '../../base/extremes.ts'
import { imageEncoder } from '../../clip/encode.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { atChance, endOf } from '../../learning/chance.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import { defaultEpochs, WARMUPS } from '../../learning/schedule.ts'
import { coopStep } from '../../methods/coop/program.ts'
import { type LearningSettings, PAPER_SETTINGS, trainPrompt } from '../../methods/coop/train-prompt.ts'
import { promptLayout } from '../../prompt/layout.ts'
import { learnedPrompt } from '../../prompt/learned-prompt.ts'
import { promptClassifier } from '../../prompt/prompt-classifier.ts'
import { checkOutputs } from '../../runtime/client.ts'
import type { Runtime } from '../../runtime/types.ts'
import { bundledClip } from '../bundled-clip.ts'
import { encodePictures, subsetOf } from '../demo/encode.ts'
import { demoTasks } from '../demo/tasks.ts'
import { keptRows, markdown, processorSeconds, spread } from './kept-rows.ts'
import type { Study } from './study.ts'

const TASK = 'sports'
const SHOTS = 2
/** At the paper's rate, and at others. */
const SEEDS = seedsUpTo(100)
const FEWER_SEEDS = seedsUpTo(10)
const WARM = [
  { warmup: 'none', warmupEpochs: 1, title: 'none' },
  { warmup: 'constant', warmupEpochs: 1, title: "one epoch at 1e-5 (the paper's)" },
  { warmup: 'linear', warmupEpochs: 10, title: 'linear over ten epochs' },
] as const
/** The paper's rate, and ten times, a hundred times as much, and so on. */
const RATES = [0.002, 0.02, 0.2, 2, 20]

const rowSchema = z.object({
  learningRate: z.number(),
  warmup: z.enum(WARMUPS),
  warmupEpochs: z.int(),
  seed: z.int(),
  /** NaN or infinite loss: training stopped there. */
  diverged: z.boolean(),
  collapsed: z.boolean(),
  /** On the test pictures; 0 where diverged. */
  accuracy: z.number(),
  /** Of the last tenth of the steps, over log(classes); the largest over the run. */
  endLoss: z.number(),
  peakLoss: z.number(),
  /** Length of the gradient: at the first step, at its largest, in the median of the last tenth. */
  firstNorm: z.number(),
  peakNorm: z.number(),
  endNorm: z.number(),
  seconds: z.number(),
})
type Row = z.output<typeof rowSchema>

/** How often a run of the paper's recipe ends at chance, over seeds, by warm-up and learning rate. */
export const stability: Study = {
  name: 'stability',
  about: `how often training collapses over ${SEEDS.length} seeds on the demo's ${TASK}, by warm-up and learning rate`,

  async run(runtime, { rows: file, table: tableOnly, say }) {
    const kept = await keptRows(file, rowSchema)
    if (tableOnly) return table(kept.rows)
    const clip = await bundledClip()
    const task = (await demoTasks()).find(({ name }) => name === TASK)
    if (task === undefined) throw new Error(`the demo has a task ${TASK}`)
    const encoder = imageEncoder(clip, runtime, 32)
    const train = await encodePictures(clip, encoder, task.train, () => undefined)
    const test = await encodePictures(clip, encoder, task.test, () => undefined)
    await encoder.dispose()
    const { classNames } = task
    const chance = Math.log(classNames.length)
    const labelled = task.train.map(({ label }, row) => ({ label, row }))
    const testLabels = task.test.map(({ label }) => label)

    // all runs are of one form: their programs are loaded once
    const layout = promptLayout(clip.tokenizer, classNames, PAPER_SETTINGS)
    const batch = Math.min(PAPER_SETTINGS.batchSize, SHOTS * classNames.length)
    const step = await runtime.load(coopStep(clip, layout, batch))
    const shared: Runtime = {
      ...runtime,
      load: async (program) => ({
        async run(feeds) {
          const outputs = await step.run(feeds)
          checkOutputs(program, outputs)
          return outputs
        },
        dispose: async () => undefined,
      }),
    }

    async function learn(settings: LearningSettings): Promise<Omit<Row, 'seconds'>> {
      const { learningRate, warmup = 'constant', warmupEpochs = 1, seed } = settings
      const set = subsetOf(train, drawFewShot(labelled, [], SHOTS, seed).train)
      const about = { learningRate, warmup, warmupEpochs, seed }
      try {
        const { ctx, losses, steps } = await trainPrompt({ clip, runtime: shared, classNames, set, settings })
        const prompt = learnedPrompt(clip.fingerprint, classNames, settings, ctx)
        const classifier = await promptClassifier(clip, runtime, prompt)
        const answers = await classifier.predict(test).finally(() => classifier.dispose())
        const norms = steps.map(({ gradientNorm }) => gradientNorm)
        return {
          ...about,
          diverged: false,
          collapsed: atChance(answers, testLabels),
          accuracy: accuracyOf(classNames, answers, testLabels).accuracy,
          endLoss: endOf(losses) / chance,
          peakLoss: largest(losses) / chance,
          firstNorm: norms[0] ?? 0,
          peakNorm: largest(norms),
          endNorm: endOf(norms),
        }
      } catch (error) {
        if (!(error instanceof DivergedError)) throw error
        const none = { accuracy: 0, endLoss: 0, peakLoss: 0, firstNorm: 0, peakNorm: 0, endNorm: 0 }
        return { ...about, diverged: true, collapsed: true, ...none }
      }
    }

    for (const about of runs()) {
      if (kept.rows.some((row) => matches(row, about))) continue
      const settings = { ...PAPER_SETTINGS, ...about, epochs: defaultEpochs(SHOTS) }
      const { result, seconds } = await processorSeconds(() => learn(settings))
      await kept.add({ ...result, seconds })
      if (result.collapsed) say(`collapsed: ${JSON.stringify(about)}`)
    }
    const { length: classes } = classNames
    const total = kept.rows.reduce((sum, { seconds }) => sum + seconds, 0)
    const head = `${TASK}: ${classes} classes, ${SHOTS} shots, ${defaultEpochs(SHOTS)} epochs; chance is ${(100 / classes).toFixed(1)} %`
    return `${head}\n\n${table(kept.rows)}\n\n${kept.rows.length} runs, ${(total / 60).toFixed(1)} minutes of processor time`
  },
}

/** All runs; those at the paper's rate first, then seed by seed, so that a study that was stopped is balanced. */
function runs(): Pick<Row, 'learningRate' | 'warmup' | 'warmupEpochs' | 'seed'>[] {
  const of = (rates: readonly number[], seeds: readonly number[]) =>
    seeds.flatMap((seed) =>
      rates.flatMap((learningRate) =>
        WARM.map(({ warmup, warmupEpochs }) => ({ learningRate, warmup, warmupEpochs, seed })),
      ),
    )
  return [...of(RATES.slice(0, 1), SEEDS), ...of(RATES.slice(1), FEWER_SEEDS)]
}

function seedsUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

function matches(row: Row, about: Partial<Row>): boolean {
  return Object.entries(about).every(([key, value]) => Object.entries(row).some(([k, v]) => k === key && v === value))
}

function table(rows: readonly Row[]): string {
  const lines = RATES.flatMap((learningRate) =>
    WARM.flatMap(({ warmup, warmupEpochs, title }) => {
      const of = rows.filter((row) => matches(row, { learningRate, warmup, warmupEpochs }))
      if (of.length === 0) return []
      const ended = of.filter(({ diverged }) => !diverged)
      const { mean, sd } = spread(of.map(({ accuracy }) => 100 * accuracy))
      const average = (key: 'endLoss' | 'peakLoss' | 'firstNorm' | 'peakNorm' | 'endNorm') =>
        ended.length === 0 ? '' : spread(ended.map((row) => row[key])).mean.toPrecision(2)
      return [
        [
          String(learningRate),
          title,
          `${of.filter((row) => row.collapsed).length} of ${of.length}`,
          String(of.length - ended.length),
          `${mean.toFixed(1)} ± ${sd.toFixed(1)}`,
          (100 * smallest(of.map(({ accuracy }) => accuracy))).toFixed(1),
          average('endLoss'),
          average('peakLoss'),
          average('firstNorm'),
          average('peakNorm'),
          average('endNorm'),
        ],
      ]
    }),
  )
  const losses = ['loss at the end / log(classes)', 'largest loss / log(classes)']
  const norms = ['gradient, first step', 'largest', 'at the end']
  const head = ['rate', 'warm-up', 'collapsed', 'of these not finite', 'accuracy %', 'worst %', ...losses, ...norms]
  return markdown(head, lines)
}
