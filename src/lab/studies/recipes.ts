import { z } from 'zod'
import type { Clip } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { Graph, mul, program, scale, sum } from '../../graph/index.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { inOrder, stepsOf } from '../../learning/batches.ts'
import { accuracyOf } from '../../learning/classifier.ts'
import { meanViews, subsetRows } from '../../learning/labelled-rows.ts'
import { imageLogits } from '../../learning/logits.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { adamW, type Optimiser } from '../../learning/optimisers.ts'
import { defaultEpochs } from '../../learning/schedule.ts'
import type { LearnOptions, Step, Tensors } from '../../learning/types.ts'
import { argmaxRows, normaliseRows } from '../../learning/vectors.ts'
import { classMeans } from '../../methods/class-mean/means.ts'
import { contextOf } from '../../methods/context.ts'
import { contextStep } from '../../methods/context-step.ts'
import { type ContextLearning, learnContext } from '../../methods/coop/learn.ts'
import { RECIPES, type Recipe } from '../../methods/coop/recipes.ts'
import { PAPER_SETTINGS } from '../../methods/coop/train-prompt.ts'
import type { Task } from '../../methods/method.ts'
import type { PromptLayout } from '../../prompt/layout.ts'
import { classFeatures } from '../../prompt/prompted-tower.ts'
import { environmentOf } from '../../runs/environment.ts'
import type { Runtime } from '../../runtime/types.ts'
import { bundledClip } from '../bundled-clip.ts'
import { keptRows, markdown, spread } from './kept-rows.ts'
import { lbfgs, muon } from './recipe-optimisers.ts'
import { learnSampled } from './recipe-sampling.ts'
import type { Study } from './study.ts'
import { caltechTask, drawnTasks, type StudyTask } from './tasks.ts'

const SHOTS = [16, 8, 4, 2, 1]
const SEEDS = [1, 2, 3]
const CALTECH = 'Caltech101'
/** Points of accuracy within which the paper's is reached. */
const WITHIN = 0.5

interface Candidate {
  readonly name: string
  readonly recipe: Recipe
  /** Steps that begin with the class vectors, before those of the recipe. */
  readonly classVectors?: number
  /** Classes of a step, of tasks that have more; left out: all. */
  readonly sampled?: number
}

const { paper, fast } = RECIPES
const adam = (beta1: number, beta2: number) => adamW({ beta1, beta2, epsilon: 1e-8, weightDecay: 0 })

/** The fast recipe, but for what differs. */
const like = (
  optimiser: Optimiser,
  learningRate: number,
  { temperature, epochs = 100 }: { readonly temperature?: Recipe['temperature']; readonly epochs?: number } = {},
): Recipe => ({ optimiser, rate: fast.rate, temperature, defaults: { ...fast.defaults, epochs, learningRate } })

const { temperature } = fast
const { M } = PAPER_SETTINGS

/** The recipes, which are measured first, and what was tried for the fast one. */
const RECIPE_PART: readonly Candidate[] = [
  { name: 'paper', recipe: paper },
  { name: 'fast', recipe: fast },
]
const triedPart = ({ config: { text } }: Pick<Clip, 'config'>): readonly Candidate[] => [
  { name: 'AdamW 0.9, 0.999, rate 0.01', recipe: like(adam(0.9, 0.999), 0.01) },
  { name: 'fast without temperature', recipe: like(fast.optimiser, 0.02) },
  { name: 'fast, 50 steps', recipe: like(fast.optimiser, 0.02, { temperature, epochs: 50 }) },
  { name: 'fast, 25 steps', recipe: like(fast.optimiser, 0.02, { temperature, epochs: 25 }) },
  { name: 'class vectors first', recipe: like(fast.optimiser, 0.02, { epochs: 80 }), classVectors: 20 },
  { name: 'Muon', recipe: like(muon(0.8, M, text.width), 0.015, { temperature }) },
  { name: 'L-BFGS', recipe: like(lbfgs(10), 0.02) },
  { name: '25 classes a step', recipe: like(fast.optimiser, 0.02, { temperature, epochs: 400 }), sampled: 25 },
]

const rowSchema = z.object({
  name: z.string(),
  task: z.string(),
  shots: z.int(),
  seed: z.int(),
  /** While it was learned: steps so far, each a pass of the text tower forth and back, and what there was after them. */
  points: z.array(
    z.object({
      passes: z.int(),
      /** Of the processor, from before the first program is made. */
      seconds: z.number(),
      /** On the test pictures, in %. */
      accuracy: z.number(),
      loss: z.number(),
    }),
  ),
})
type Row = z.output<typeof rowSchema>
type Point = Row['points'][number]

/** Time to accuracy of ways to learn one context (M = 16, end): the recipes, and what was tried for them. */
export const recipes: Study = {
  name: 'recipes',
  about:
    "accuracy, seconds and passes of the text tower of CoOp's recipes, on the demo's nine tasks and Caltech101 (--root)",

  async run(runtime, { root, rows: file, table: tableOnly, say }) {
    const kept = await keptRows(file, rowSchema)
    if (tableOnly) return table(kept.rows)
    const clip = await bundledClip()
    const tasks = await drawnTasks(clip, runtime)
    if (root === undefined) say('Caltech101 is left out: --root names the folder that contains caltech-101')
    else tasks.push(await caltechTask(clip, runtime, root))
    const keyOf = ({ name, task, shots, seed }: Omit<Row, 'points'>) => JSON.stringify([name, task, shots, seed])
    const known = new Set(kept.rows.map(keyOf))
    for (const part of [RECIPE_PART, triedPart(clip)]) {
      for (const seed of SEEDS) {
        for (const shots of SHOTS) {
          for (const task of tasks) {
            for (const candidate of part) {
              const about = { name: candidate.name, task: task.name, shots, seed }
              if (known.has(keyOf(about)) || task.classNames.length <= (candidate.sampled ?? 0)) continue
              await kept.add({ ...about, points: await pointsOf(clip, runtime, task, candidate, about) })
            }
          }
          say(`seed ${seed}, ${shots} shots: ${kept.rows.length} runs so far`)
        }
      }
    }
    return table(kept.rows)
  },
}

/** Steps after which accuracy is measured: 1, 2, 3, 4, 5, then each a fifth more. */
const MEASURED = new Set<number>()
for (let step = 1; step < 20_000; step = Math.max(step + 1, Math.round(1.2 * step))) MEASURED.add(step)

async function pointsOf(
  clip: Clip,
  runtime: Runtime,
  { classNames, train: all, test }: StudyTask,
  { recipe, classVectors = 0, sampled }: Candidate,
  { shots, seed }: Pick<Row, 'shots' | 'seed'>,
): Promise<Point[]> {
  const rows = all.labels.map((label, row) => ({ label, row }))
  const train = subsetRows(
    all,
    drawFewShot(rows, [], shots, seed).train.map(({ row }) => row),
  )
  const { defaults } = recipe
  const epochs = defaults.epochs ?? defaultEpochs(shots)
  const settings: ContextLearning = { ...PAPER_SETTINGS, ...defaults, epochs, recipe: 'fast' }
  const task = { clip, runtime, classNames, train, seed }
  const { ctx, layout } = contextOf(task, settings)
  const taken: (Omit<Point, 'accuracy'> & { readonly ctx: FloatTensor })[] = []
  const before = process.cpuUsage()
  /** After steps of learning that others went before. */
  const take =
    (earlier: number, total: number) =>
    (steps: readonly Step[], tensors: Tensors): void => {
      const [passes, loss, ctx] = [earlier + steps.length, steps.at(-1)?.loss, tensors.get('ctx')]
      if (ctx === undefined || loss === undefined || !(MEASURED.has(passes) || steps.length === total)) return
      const { user, system } = process.cpuUsage(before)
      taken.push({ passes, loss, seconds: (user + system) / 1e6, ctx: floatTensor(ctx.shape, ctx.data.slice()) })
    }
  const start =
    classVectors === 0
      ? ctx
      : await towardsClassVectors(task, layout, ctx, classVectors, { onSteps: take(0, classVectors) })
  const total = epochs * stepsOf(train.labels.length, defaults.batchSize ?? train.labels.length)
  if (sampled === undefined) await learnContext(task, settings, { start, onSteps: take(classVectors, total) }, recipe)
  else await learnSampled(task, settings, sampled, recipe, start, { onSteps: take(0, epochs) })
  const graph = new Graph()
  const images = floatTensor([test.labels.length, clip.config.embedDim], test.features.data)
  const text = classFeatures(clip, layout, graph.input('ctx', ctx.shape))
  const logits = imageLogits(clip, graph.input('images', images.shape), text)
  const session = await runtime.load(program(graph, { logits }))
  const points: Point[] = []
  for (const { ctx, ...point } of taken) {
    const answers = argmaxRows((await session.run({ ctx, images })).logits)
    points.push({ ...point, accuracy: 100 * accuracyOf(classNames, answers, test.labels).accuracy })
  }
  await session.dispose()
  return points
}

/**
 * Steps that turn text features towards what their classes' images have and the others' have not, before any image is
 * classified: the largest sum over classes c of t_c (m_c - m), with the means m_c of the images' features and theirs, m.
 */
async function towardsClassVectors(
  { clip, runtime, classNames, train }: Pick<Task, 'clip' | 'runtime' | 'classNames' | 'train'>,
  layout: PromptLayout,
  ctx: FloatTensor,
  epochs: number,
  options: LearnOptions,
): Promise<FloatTensor> {
  const classes = classNames.length
  const vectors = classMeans(await meanViews(train), classes)
  const [, embed] = dims(vectors, 2)
  for (let j = 0; j < embed; j++) {
    let mean = 0
    for (let c = 0; c < classes; c++) mean += vectors.data[c * embed + j]! / classes
    for (let c = 0; c < classes; c++) vectors.data[c * embed + j]! -= mean
  }
  const { tensors } = await learnByGradients(
    {
      runtime,
      program: () =>
        contextStep(clip, layout, (text) => {
          const loss = scale(sum(mul(text, text.graph.constant(normaliseRows(vectors))), [0, 1]), -1 / classes)
          return { loss, logits: text }
        }),
      start: new Map([['ctx', ctx]]),
      feeds: { images: 1, of: () => ({}) },
      epochs,
      batchSize: 1,
      order: inOrder,
      optimiser: fast.optimiser,
      learningRate: () => fast.defaults.learningRate,
    },
    options,
  )
  return tensors.get('ctx') ?? ctx
}

const mean = (values: readonly number[]) => spread(values).mean

function table(rows: readonly Row[]): string {
  const { cpu, node, onnxruntime } = environmentOf({ device: 'cpu' }, {})
  const head = [
    'recipe',
    'drawn',
    'Caltech101',
    'mean',
    'passes',
    's, drawn',
    's, Caltech101',
    's, mean',
    'as the paper',
    's',
    'runs',
  ]
  const parts = SHOTS.toReversed().flatMap((shots) => {
    const of = (name: string) => rows.filter((row) => row.name === name && row.shots === shots)
    const ends = of('paper')
    const names = [...new Set(rows.map(({ name }) => name))]
    const lines = names.flatMap((name) => {
      // of tasks and seeds that the paper's recipe was measured on, too
      const own = of(name).filter((row) => ends.some(({ task, seed }) => row.task === task && row.seed === seed))
      if (own.length === 0) return []
      return [[name, ...cells(own), ...(name === 'paper' ? ['', ''] : reached(own, ends)), `${own.length}`]]
    })
    return lines.length === 0 ? [] : [`### ${shots} ${shots === 1 ? 'shot' : 'shots'}`, markdown(head, lines)]
  })
  return [`${cpu}, a thread, Node ${node}, ONNX Runtime ${onnxruntime}; seconds of processor time`, ...parts].join(
    '\n\n',
  )
}

/** Mean of the tasks' means over the seeds, so that each task counts alike. */
function byTask(rows: readonly Row[], of: (row: Row) => number | undefined): number {
  const tasks = [...new Set(rows.map(({ task }) => task))]
  return mean(tasks.map((task) => mean(rows.flatMap((row) => (row.task === task ? (of(row) ?? []) : [])))))
}

function cells(rows: readonly Row[]): string[] {
  const drawn = rows.filter(({ task }) => task !== CALTECH)
  const caltech = rows.filter(({ task }) => task === CALTECH)
  const at = (some: readonly Row[], key: keyof Point, digits: number) => {
    const value = byTask(some, ({ points }) => points.at(-1)?.[key])
    return Number.isNaN(value) ? '' : value.toFixed(digits)
  }
  const parts = [drawn, caltech, rows]
  return [
    ...parts.map((some) => at(some, 'accuracy', 1)),
    at(rows, 'passes', 0),
    ...parts.map((some) => at(some, 'seconds', 2)),
  ]
}

/** Passes and seconds after which the mean accuracy is the paper's. */
function reached(rows: readonly Row[], paper: readonly Row[]): [string, string] {
  const same = paper.filter(({ task, seed }) => rows.some((row) => row.task === task && row.seed === seed))
  const wanted = byTask(same, ({ points }) => points.at(-1)?.accuracy) - WITHIN
  const after = (row: Row, passes: number) => row.points.find((point) => point.passes === passes)
  const found = rows[0]?.points.find(({ passes }) => byTask(rows, (row) => after(row, passes)?.accuracy) >= wanted)
  if (found === undefined) return ['not reached', '']
  return [`${found.passes}`, byTask(rows, (row) => after(row, found.passes)?.seconds).toFixed(2)]
}
