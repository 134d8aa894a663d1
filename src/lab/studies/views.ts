import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import type { Item } from '../../data/items.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { featureFeeds, shuffled, stepsOf } from '../../learning/batches.ts'
import { endOf } from '../../learning/chance.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { adamW } from '../../learning/optimisers.ts'
import { contextClassifier, contextOf } from '../../methods/context.ts'
import { coopStep } from '../../methods/coop/program.ts'
import { risingRate } from '../../methods/coop/recipes.ts'
import { PAPER_SETTINGS } from '../../methods/coop/train-prompt.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import { type Views, viewsSchema } from '../../pictures/views.ts'
import { encodeSets } from '../../runs/pictures.ts'
import { imageRows } from '../../trained/pictures.ts'
import { bundledClip } from '../bundled-clip.ts'
import { keptRows, markdown, processorSeconds, spread } from './kept-rows.ts'
import type { Study } from './study.ts'

/** One context for all classes, and one for each, which takes fewer steps; the images of a step by the shots. */
const PLAN = [
  { classSpecific: false, shots: 4, steps: 200, batchSize: 100 },
  { classSpecific: false, shots: 16, steps: 200, batchSize: 160 },
  { classSpecific: false, shots: 1, steps: 200, batchSize: 100 },
  { classSpecific: true, shots: 16, steps: 100, batchSize: 400 },
  { classSpecific: true, shots: 4, steps: 100, batchSize: 100 },
] as const
const SEEDS = [1, 2, 3]
const VIEWS: readonly Views[] = [0, 1, 2, 4, 8, 16, 'online']

/** Those of the fast recipe when this was measured; rates over steps. */
const OPTIMISER = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })
const RATES = { learningRate: 0.01, warmup: 'linear', warmupEpochs: 5 } as const

const rowSchema = z.object({
  classSpecific: z.boolean().default(false),
  shots: z.int(),
  seed: z.int(),
  views: viewsSchema,
  accuracy: z.number(),
  loss: z.number(),
  featureSeconds: z.number(),
  trainSeconds: z.number(),
})
type Row = z.output<typeof rowSchema>
const KEYS = ['classSpecific', 'shots', 'seed', 'views'] as const

/**
 * Accuracy and cost of CoOp (M = 16, end) on Caltech101 by the views of each image. Learned by AdamW
 * on large batches: the text tower, which is what a step costs, then runs 100 or 200 times, not 10,000.
 */
export const views: Study = {
  name: 'views',
  about: 'accuracy against cost for 0 to 16 views of each image, and for views drawn anew, on Caltech101 (--root)',

  async run(runtime, { root, rows: file, table: tableOnly, say }) {
    const kept = await keptRows(file, rowSchema)
    if (tableOnly) return table(kept.rows)
    const isKept = (row: Pick<Row, 'classSpecific' | 'shots' | 'seed' | 'views'>) =>
      kept.rows.some((other) => KEYS.every((key) => other[key] === row[key]))
    const clip = await bundledClip()
    const data = await caltech(root)
    const [test] = await encodeSets(clip, runtime, [{ items: data.test }], { cache: defaultCacheDir() })
    for (const seed of SEEDS) {
      for (const { classSpecific, shots, steps, batchSize } of PLAN) {
        const wanted = VIEWS.filter((views) => !isKept({ classSpecific, shots, seed, views }))
        if (wanted.length === 0) continue
        const { train } = drawFewShot(data.train, data.val, shots, seed)
        const epochs = Math.ceil(steps / stepsOf(train.length, batchSize))
        const count = Math.max(16, epochs)
        const encode = (views?: { count: number; seed: number }) =>
          processorSeconds(() => encodeSets(clip, runtime, [views ? { items: train, views } : { items: train }]))
        const plain = await encode()
        const all = await encode({ count, seed })
        // time = opening + view x number of views, from the two that were measured
        const perView = (all.seconds - plain.seconds) / (count - 1)
        const opening = Math.max(0, plain.seconds - perView)
        say(`${countOf(shots, 'shot')}, seed ${seed}: ${((1e3 * perView) / train.length).toFixed(2)} ms a view`)
        const { classNames } = data
        const prompt = { ...PAPER_SETTINGS, classSpecific }
        const { ctx, layout } = contextOf({ clip, classNames, seed }, prompt)
        const { labels } = all.result[0]
        for (const views of wanted) {
          // views drawn anew: as many as there are epochs
          const shown = views === 'online' ? epochs : Math.max(1, views)
          const features = views === 0 ? plain.result[0].features : firstViews(all.result[0].features, shown)
          const trained = await processorSeconds(() =>
            learnByGradients({
              runtime,
              program: (batch) => coopStep(clip, layout, batch),
              start: new Map([['ctx', ctx]]),
              feeds: featureFeeds({ features, labels }),
              epochs,
              batchSize,
              order: shuffled(seed),
              optimiser: OPTIMISER,
              learningRate: (_, step) => risingRate({ ...RATES, epochs: steps }, step),
            }),
          )
          const classes = { clip, runtime, classNames, templates: [] }
          const classifier = await contextClassifier(classes, prompt, trained.result)
          const answers = await classifier.predict(imageRows(test)).finally(() => classifier.dispose())
          const row = {
            classSpecific,
            shots,
            seed,
            views,
            accuracy: accuracyOf(classNames, answers, test.labels).accuracy,
            loss: endOf(trained.result.steps.map(({ loss }) => loss)),
            featureSeconds: opening + perView * shown,
            trainSeconds: trained.seconds,
          }
          await kept.add(row)
          say(JSON.stringify(row))
        }
      }
    }
    return table(kept.rows)
  },
}

function table(rows: readonly Row[]): string {
  return PLAN.flatMap(({ classSpecific, shots, steps }) => {
    const lines = VIEWS.flatMap((views) => {
      const of = rows.filter((row) => row.classSpecific === classSpecific && row.shots === shots && row.views === views)
      if (of.length === 0) return []
      const { mean, sd } = spread(of.map(({ accuracy }) => 100 * accuracy))
      const average = (key: 'loss' | 'featureSeconds' | 'trainSeconds') => spread(of.map((row) => row[key])).mean
      const [features, training] = [average('featureSeconds'), average('trainSeconds')]
      const seconds = [features, training, features + training].map((s) => s.toFixed(1))
      return [[String(views), mean.toFixed(2), sd.toFixed(2), average('loss').toFixed(3), ...seconds, `${of.length}`]]
    })
    const head = ['views', 'accuracy', 'sd', 'loss', 'features s', 'training s', 'together s', 'seeds']
    const form = classSpecific ? 'a context for each class' : 'one context'
    return [`${form}, ${countOf(shots, 'shot')}, ${countOf(steps, 'step')}`, '', markdown(head, lines), '']
  }).join('\n')
}

/** `(images, count, embed)` of `(images, views, embed)`. */
function firstViews(all: FloatTensor, count: number): FloatTensor {
  const [images, views, embed] = dims(all, 3)
  const first = floatTensor([images, count, embed])
  for (let i = 0; i < images; i++) {
    const start = i * views * embed
    first.data.set(all.data.subarray(start, start + count * embed), i * count * embed)
  }
  return first
}

interface Caltech {
  readonly classNames: readonly string[]
  readonly train: readonly Item[]
  readonly val: readonly Item[]
  readonly test: readonly Item[]
}

/** Caltech101 in the official layout; `root` holds the folder caltech-101, or is it. */
async function caltech(root: string | undefined): Promise<Caltech> {
  if (root === undefined) throw new UsageError('the study needs Caltech101', 'say where it is (--root DIR)')
  const folder = existsSync(join(root, 'caltech-101')) ? join(root, 'caltech-101') : root
  const entry = z.tuple([z.string(), z.int(), z.string()])
  const split = z
    .object({ train: z.array(entry), val: z.array(entry), test: z.array(entry) })
    .parse(JSON.parse(await readFile(join(folder, 'split_zhou_Caltech101.json'), 'utf8')))
  const items = (entries: readonly z.output<typeof entry>[]) =>
    entries.map(([path, label]) => ({ path: join(folder, '101_ObjectCategories', path), label }))
  const classNames: string[] = []
  for (const [, label, name] of split.train) classNames[label] = name.replaceAll('_', ' ')
  return { classNames, train: items(split.train), val: items(split.val), test: items(split.test) }
}
