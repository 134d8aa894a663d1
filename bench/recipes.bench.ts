import { drawFewShot } from '../src/data/fewshot.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { encodeTasks, subsetOf } from '../src/lab/demo/encode.ts'
import { demoTasks } from '../src/lab/demo/tasks.ts'
import { accuracyOf } from '../src/learning/classifier.ts'
import { RECIPE_NAMES, RECIPES } from '../src/methods/coop/recipes.ts'
import { learnFewShot } from '../src/methods/index.ts'
import { type Bench, type Figure, figure } from './bench.ts'

const TASKS = ['sports', 'gestures', 'fantasy', 'style']
const SHOTS = 16

/** Accuracy and seconds of both recipes on tasks of the demo: unified context, M = 16, 16 shots. */
export const recipes: Bench = {
  name: 'recipes',
  about: "the paper's recipe and the demo's fast one: accuracy and time at 16 shots",
  long: true,
  async run(runtime, { quick }) {
    const clip = await bundledClip()
    const wanted = quick ? TASKS.slice(0, 1) : TASKS
    const seeds = quick ? [1] : [1, 2, 3]
    const encoded = await encodeTasks(
      clip,
      [runtime],
      (await demoTasks()).filter(({ name }) => wanted.includes(name)),
      {},
      undefined,
    )
    const figures: Figure[] = []
    for (const { task, train, test } of encoded) {
      const { classNames } = task
      const rows = task.train.map(({ label }, row) => ({ label, row }))
      const labels = task.test.map(({ label }) => label)
      for (const recipe of RECIPE_NAMES) {
        const [accuracies, seconds]: [number[], number[]] = [[], []]
        for (const seed of seeds) {
          const set = subsetOf(train, drawFewShot(rows, [], SHOTS, seed).train)
          const started = performance.now()
          const { classifier } = await learnFewShot({
            clip,
            runtime,
            classNames,
            train: set,
            seed,
            settings: { recipe },
          })
          const answers = await classifier.predict(test)
          seconds.push((performance.now() - started) / 1000)
          accuracies.push(100 * accuracyOf(classNames, answers, labels).accuracy)
          await classifier.dispose()
        }
        figures.push(
          figure(`${recipe} recipe`, task.name, 'accuracy', '%', accuracies),
          figure(`${recipe} recipe`, task.name, 'learning', 's', seconds),
        )
      }
    }
    const { epochs } = RECIPES.fast.defaults
    return { figures, notes: [`seeds ${seeds.join(', ')}; fast: AdamW, all images at once, ${epochs} steps`] }
  },
}
