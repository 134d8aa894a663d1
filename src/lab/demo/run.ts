import { countOf } from '../../base/count.ts'
import type { Hooks } from '../../base/progress.ts'
import type { Clip } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { accuracyOf, type ImageClassifier } from '../../learning/classifier.ts'
import { learnFewShot } from '../../methods/index.ts'
import { zeroShotClassifier } from '../../methods/zero-shot/features.ts'
import { thumbnail } from '../../node/thumbnail.ts'
import { nearestWords } from '../../prompt/nearest-words.ts'
import type { Runtime } from '../../runtime/types.ts'
import { type Encoded, encodeTasks, spreadOver, subsetOf } from './encode.ts'
import type { Accuracy, Changed, Curve, DemoResult, Example, TaskResult } from './report/types.ts'
import type { DemoImage, DemoTask } from './types.ts'

export interface DemoPlan {
  readonly tasks: readonly DemoTask[]
  readonly shots: readonly number[]
  readonly seeds: readonly number[]
}

const CONTEXT_LENGTH = 16

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
  const labels = task.test.map(({ label }) => label)
  const answersOf = (classifier: ImageClassifier) => classifier.predict(test).finally(() => classifier.dispose())
  const share = (answers: readonly number[]) => accuracyOf(classNames, answers, labels).accuracy
  const before = await answersOf(await zeroShotClassifier({ clip, runtime, classNames, templates: [prompt] }))
  const zeroShot = share(before)
  const rows = task.train.map(({ label }, row) => ({ label, row }))
  const curves: Curve[] = []
  let learned: FloatTensor | undefined
  let after = before
  for (const classSpecific of [false, true]) {
    const settings = { M: CONTEXT_LENGTH, position: 'end', classSpecific, recipe: 'fast' }
    const curve: Record<string, Accuracy> = {}
    for (const shots of plan.shots) {
      const found: number[] = []
      for (const seed of plan.seeds) {
        const set = subsetOf(train, drawFewShot(rows, [], shots, seed).train)
        const learning = { clip, runtime, classNames, train: set, settings, shots, seed }
        const result = await learnFewShot(learning, { signal })
        const answers = await answersOf(result.classifier)
        found.push(share(answers))
        if (!classSpecific) {
          learned = result.learned.tensors.get('ctx')
          after = answers
        }
        tick(`${name}, ${countOf(shots, 'shot')}, seed ${seed}`)
      }
      curve[shots] = spread(found)
    }
    curves.push(curve)
  }
  const nearest = learned === undefined ? [] : await nearestWords(clip, runtime, learned)
  const words = nearest.flatMap(([word]) => (word === undefined ? [] : [word.word]))
  const [coop = {}, coopCsc = {}] = curves
  const chance = 1 / classNames.length
  const changed = await whatChanged(task, before, after)
  const result = { name, title, classes: classNames.length, chance, zeroShot, prompt, coop, coopCsc, words, changed }
  return task.shift ? { ...result, shift: true } : result
}

/** Pictures of which the answers changed: of those put right more than of those made wrong, of many classes. */
const [PUT_RIGHT, MADE_WRONG] = [5, 2]

async function whatChanged(
  { test, classNames }: DemoTask,
  before: readonly number[],
  after: readonly number[],
): Promise<Changed> {
  const places = test.map((_, i) => i)
  const isRight = (answers: readonly number[], i: number) => answers[i] === test[i]?.label
  const putRight = places.filter((i) => !isRight(before, i) && isRight(after, i))
  const madeWrong = places.filter((i) => isRight(before, i) && !isRight(after, i))
  const shown = [
    ...ofManyClasses(putRight, test).slice(0, PUT_RIGHT),
    ...ofManyClasses(madeWrong, test).slice(0, MADE_WRONG),
  ]
  const examples = await Promise.all(
    shown.map(async (i): Promise<Example[]> => {
      const image = test[i]
      if (image === undefined) return []
      const name = (c: number | undefined) => classNames[c ?? 0] ?? ''
      const picture = await thumbnail(await image.render())
      return [{ picture, label: name(image.label), before: name(before[i]), after: name(after[i]) }]
    }),
  )
  return { tested: test.length, putRight: putRight.length, madeWrong: madeWrong.length, examples: examples.flat() }
}

/** The first of each class, then the second of each, and so on. */
function ofManyClasses(places: readonly number[], images: readonly Pick<DemoImage, 'label'>[]): number[] {
  const before = new Map<number, number>()
  const ranked = places.map((place) => {
    const label = images[place]?.label ?? 0
    const rank = before.get(label) ?? 0
    before.set(label, rank + 1)
    return { place, rank }
  })
  return ranked.sort((a, b) => a.rank - b.rank).map(({ place }) => place)
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
