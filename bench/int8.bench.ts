import { randomFor } from '../src/base/random.ts'
import { imageEncoder } from '../src/clip/encode.ts'
import { PRECISIONS, type Precision } from '../src/clip/precision.ts'
import { drawFewShot } from '../src/data/fewshot.ts'
import { dims, type FloatTensor } from '../src/graph/tensor.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { encodePictures, subsetOf } from '../src/lab/demo/encode.ts'
import { demoTasks } from '../src/lab/demo/tasks.ts'
import type { DemoTask } from '../src/lab/demo/types.ts'
import { accuracyOf } from '../src/learning/classifier.ts'
import { learnFewShot } from '../src/methods/index.ts'
import type { Runtime } from '../src/runtime/types.ts'
import { cosineOf } from '../src/trained/precision.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { interleaved, ratios } from './measure.ts'
import { randomClip } from './random-model.ts'

const ARCHITECTURES = ['ViT-B/32', 'ViT-B/16', 'RN50']
const BATCH = 8
const SHOTS = 16

export const int8: Bench = {
  name: 'int8',
  about: `image towers in 8 bits beside float32: speed at true sizes (random weights, ${BATCH} at a time); features and accuracy of the bundled model on the demo's tasks`,
  long: true,
  async run(runtime, { quick }) {
    const figures: Figure[] = []
    for (const architecture of quick ? ARCHITECTURES.slice(0, 1) : ARCHITECTURES) {
      figures.push(...(await speedOf(runtime, architecture, quick ? 3 : 7)))
    }
    for (const task of (await demoTasks()).slice(0, quick ? 1 : undefined))
      figures.push(...(await lossOn(runtime, task)))
    return {
      figures,
      notes: [
        'times as fast: float32 / int8 in turns',
        `cosine: of a test picture's features in int8 to those in float32; accuracy: of \`best\` from ${SHOTS} pictures a class, on the task's test pictures, all pictures in the one precision`,
      ],
    }
  },
}

async function speedOf(runtime: Runtime, architecture: string, rounds: number): Promise<Figure[]> {
  const clip = await randomClip(architecture)
  const { size } = clip.config.preprocess
  const { normal } = randomFor('bench images', 1)
  const pictures = Array.from({ length: BATCH }, () => Float32Array.from({ length: 3 * size * size }, normal))
  const encoders = PRECISIONS.map((precision) => imageEncoder(clip, runtime, BATCH, precision))
  const tasks = encoders.map((encoder) => () => encoder.encode(pictures))
  for (const task of [...tasks, ...tasks]) await task()
  const times = await interleaved(tasks, rounds)
  for (const encoder of encoders) await encoder.dispose()
  const of = (precision: Precision) => times[PRECISIONS.indexOf(precision)] ?? []
  return [
    ...PRECISIONS.map((precision) => {
      const speeds = of(precision).map((ms) => (1000 * BATCH) / ms)
      return figure(architecture, BATCH, precision, 'images/s', speeds)
    }),
    figure(architecture, BATCH, 'times as fast', 'x', ratios(of('float32'), of('int8'))),
  ]
}

async function lossOn(runtime: Runtime, task: DemoTask): Promise<Figure[]> {
  const clip = await bundledClip()
  const { classNames } = task
  const rows = task.train.map(({ label }, row) => ({ label, row }))
  const labels = task.test.map(({ label }) => label)
  const tests: FloatTensor[] = []
  const figures: Figure[] = []
  for (const precision of PRECISIONS) {
    const encoder = imageEncoder(clip, runtime, 32, precision)
    const encode = (images: DemoTask['test']) => encodePictures(clip, encoder, images, () => {})
    const [train, test] = [await encode(task.train), await encode(task.test)]
    await encoder.dispose()
    tests.push(test)
    const accuracies: number[] = []
    for (const seed of [1, 2, 3]) {
      const set = subsetOf(train, drawFewShot(rows, [], SHOTS, seed).train)
      const { classifier } = await learnFewShot({ clip, runtime, classNames, train: set, seed, method: 'best' })
      accuracies.push(100 * accuracyOf(classNames, await classifier.predict(test), labels).accuracy)
      await classifier.dispose()
    }
    figures.push(figure(task.name, labels.length, `accuracy, ${precision}`, '%', accuracies))
  }
  const [exact, rounded] = tests
  if (exact && rounded) figures.unshift(figure(task.name, labels.length, 'cosine', '', cosines(exact, rounded)))
  return figures
}

/** Of each row to the other's. */
function cosines(a: FloatTensor, b: FloatTensor): number[] {
  const [n, d] = dims(a, 2)
  const row = ({ data }: FloatTensor, i: number) => data.subarray(i * d, (i + 1) * d)
  return Array.from({ length: n }, (_, i) => cosineOf(row(a, i), row(b, i)))
}
