import { drawFewShot } from '../src/data/fewshot.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { type Encoded, encodeTasks, subsetOf } from '../src/lab/demo/encode.ts'
import { demoTasks } from '../src/lab/demo/tasks.ts'
import { accuracyOf, type Classifier } from '../src/learning/classifier.ts'
import { defaultEpochs } from '../src/learning/schedule.ts'
import { FULL_BATCH, fullBatchLearner } from '../src/prompt/full-batch.ts'
import { learnedPrompt } from '../src/prompt/learned-prompt.ts'
import { promptClassifier } from '../src/prompt/prompt-classifier.ts'
import { PAPER_SETTINGS, trainPrompt } from '../src/prompt/train.ts'
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
      const shape = { M: PAPER_SETTINGS.M, position: PAPER_SETTINGS.position, classSpecific: false } as const
      const learner = await fullBatchLearner(clip, runtime, classNames, shape, SHOTS)
      const runs: Record<string, (seed: number) => Promise<Classifier>> = {
        paper: async (seed) => {
          const settings = { ...PAPER_SETTINGS, seed, epochs: defaultEpochs(SHOTS) }
          const { ctx } = await trainPrompt({ clip, runtime, classNames, set: subset(seed), settings })
          return promptClassifier(clip, runtime, learnedPrompt(clip, classNames, shape, ctx))
        },
        fast: async (seed) => learner.classifier((await learner.learn(subset(seed), seed)).ctx),
      }
      function subset(seed: number) {
        const rows = task.train.map(({ label }, row) => ({ label, row }))
        return subsetOf(train, drawFewShot(rows, [], SHOTS, seed).train)
      }
      for (const [name, learn] of Object.entries(runs)) {
        const [accuracies, seconds]: [number[], number[]] = [[], []]
        for (const seed of seeds) {
          const started = performance.now()
          accuracies.push(100 * accuracy(await learn(seed), { task, train, test }))
          seconds.push((performance.now() - started) / 1000)
        }
        figures.push(
          figure(`${task.name}, ${name} recipe`, '%', accuracies),
          figure(`${task.name}, ${name} recipe`, 's', seconds),
        )
      }
      await learner.dispose()
    }
    return { figures, notes: [`seeds ${seeds.join(', ')}; fast: AdamW, all images at once, ${FULL_BATCH.steps} steps`] }
  },
}

function accuracy(classifier: Classifier, { task, test }: Encoded): number {
  const labels = task.test.map(({ label }) => label)
  return accuracyOf(classifier, classifier.predict(test), labels).accuracy
}
