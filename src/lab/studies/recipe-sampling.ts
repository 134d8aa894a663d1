import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor, intTensor } from '../../graph/tensor.ts'
import { inOrder } from '../../learning/batches.ts'
import { subsetRows } from '../../learning/labelled-rows.ts'
import { learnByGradients, type TrainingStep } from '../../learning/loop.ts'
import type { LearnOptions } from '../../learning/types.ts'
import { contextStep } from '../../methods/context-step.ts'
import type { ContextLearning } from '../../methods/coop/learn.ts'
import { coopLoss } from '../../methods/coop/program.ts'
import type { Recipe } from '../../methods/coop/recipes.ts'
import type { Task } from '../../methods/method.ts'
import { type PromptShape, promptLayout } from '../../prompt/layout.ts'

/** How often classes are dealt out anew before the parts come again. */
const DEALS = 5

/**
 * A step over some of the classes: the parts of CoOp's loss that need no others, of the images of these classes, with a softmax over
 * them alone. Classes are dealt out at random in parts of `size`, which take turns.
 *
 * @returns a step of `ctx` and `temperature`
 */
function sampledStep(
  { clip, classNames, train, seed }: Pick<Task, 'clip' | 'classNames' | 'train' | 'seed'>,
  shape: PromptShape,
  size: number,
): TrainingStep {
  const { permutation } = randomFor('sampled classes', seed)
  const parts = Array.from({ length: DEALS }, () => {
    const order = [...permutation(classNames.length)]
    return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.slice(i * size, (i + 1) * size))
  }).flat()
  return async (runtime) => {
    const loaded = await Promise.all(
      parts.map(async (classes) => {
        const images = train.labels.flatMap((label, i) => (classes.includes(label) ? [i] : []))
        const { features, labels } = subsetRows(train, images)
        const names = classes.map((c) => classNames[c] ?? '')
        const layout = promptLayout(clip.tokenizer, names, shape)
        const step = contextStep(clip, layout, coopLoss(clip, images.length, true))
        if (typeof step === 'function') throw new Error('a part has few classes')
        return {
          session: await runtime.load(step),
          features: floatTensor([images.length, clip.config.embedDim], features.data),
          labels: intTensor(
            [images.length],
            labels.map((label) => classes.indexOf(label)),
          ),
        }
      }),
    )
    let steps = 0
    return {
      run(feeds) {
        const part = loaded[steps++ % loaded.length]
        if (part === undefined) throw new Error('there are no classes')
        const { session, ...images } = part
        return session.run({ ...feeds, ...images })
      },
      async dispose() {
        for (const { session } of loaded) await session.dispose()
      },
    }
  }
}

/** Learns context vectors by sampled steps, one an epoch. */
export async function learnSampled(
  task: Pick<Task, 'clip' | 'runtime' | 'classNames' | 'train' | 'seed'>,
  settings: ContextLearning,
  size: number,
  { optimiser, rate, temperature }: Recipe,
  start: FloatTensor,
  options: LearnOptions,
): Promise<void> {
  const { epochs } = settings
  const temperatureOf = (epoch: number) => floatTensor([1], Float32Array.of(temperature?.(epochs, epoch) ?? 1))
  await learnByGradients(
    {
      runtime: task.runtime,
      program: () => sampledStep(task, settings, size),
      start: new Map([['ctx', start]]),
      feeds: { images: 1, of: (_, epoch) => ({ temperature: temperatureOf(epoch) }) },
      epochs,
      batchSize: 1,
      order: inOrder,
      optimiser,
      learningRate: (epoch) => rate(settings, epoch),
    },
    options,
  )
}
