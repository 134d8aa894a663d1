import { randomFor } from '../src/base/random.ts'
import { type FloatTensor, floatTensor, Graph, matmul, program, type Shape, sizeOf } from '../src/graph/index.ts'
import { accuracyOf, textClassifier } from '../src/learning/classifier.ts'
import { normaliseRows } from '../src/learning/vectors.ts'
import { tinyClip, tinyConfig } from '../src/testing/tiny-clip.ts'
import { type Bench, figure } from './bench.ts'
import { classNames } from './class-names.ts'
import { interleaved } from './measure.ts'

/** The test images of ImageNet, its classes, and the features of RN50. */
const [IMAGES, CLASSES, EMBED] = [50_000, 1000, 1024]

export const logits: Bench = {
  name: 'logits',
  about: `logits of ${IMAGES} x ${EMBED} features for ${CLASSES} classes beside the caller's thread, and a bare MatMul of that size in one run`,
  async run(runtime, { quick }) {
    const images = quick ? IMAGES / 5 : IMAGES
    const clip = await tinyClip({ ...tinyConfig(), embedDim: EMBED })
    const [features, text] = [randomTensor([images, EMBED]), normaliseRows(randomTensor([CLASSES, EMBED]))]
    const graph = new Graph()
    const y = matmul(graph.input('x', [images, EMBED]), graph.weight('text', text), { transB: true })
    const bare = await runtime.load(program(graph, { y }))
    const names = classNames(CLASSES)
    const classifier = textClassifier({ clip, runtime, classNames: names }, text)
    const labels = Array.from({ length: images }, (_, i) => i % CLASSES)

    const tasks = {
      'bare MatMul': () => bare.run({ x: features }),
      logits: () => classifier.logits(features),
      predict: () => classifier.predict(features),
      evaluation: async () => accuracyOf(names, await classifier.predict(features), labels),
    }
    const measured = Object.entries(tasks).map(([name, task]) => ({ name, task, gaps: [] as number[] }))
    for (const { task } of measured) await task()
    const times = await interleaved(
      measured.map(
        ({ task, gaps }) =>
          async () =>
            void gaps.push(await longestGap(task)),
      ),
      3,
    )
    return {
      figures: measured.flatMap(({ name, gaps }, i) => [
        figure(name, images, 'time', 'ms', times[i] ?? []),
        figure(name, images, 'longest gap of a 10 ms timer', 'ms', gaps),
      ]),
      notes: [`size: images; ${CLASSES} classes`],
    }
  },
}

/** Milliseconds between two ticks of a 10 ms timer of this thread at most, while work goes on. */
async function longestGap(work: () => Promise<unknown>): Promise<number> {
  let [last, longest] = [performance.now(), 0]
  const tick = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(tick, 10)
  await work()
  tick()
  clearInterval(timer)
  return longest
}

function randomTensor(shape: Shape): FloatTensor {
  const random = randomFor('bench logits', sizeOf(shape))
  return floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.next() - 0.5),
  )
}
