import { randomFor } from '../src/base/random.ts'
import { imageEncoder } from '../src/clip/encode.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { interleaved } from './measure.ts'

const BATCHES = [1, 8, 32]

export const images: Bench = {
  name: 'images',
  about: 'images a second of the bundled model, decoded and preprocessed before',
  async run(runtime, { quick }) {
    const clip = await bundledClip()
    const { size } = clip.config.preprocess
    const { normal } = randomFor('bench images', 1)
    const pixels = () => Float32Array.from({ length: 3 * size * size }, normal)
    const tasks = []
    for (const batch of BATCHES) {
      const encoder = imageEncoder(clip, runtime, batch)
      const pictures = Array.from({ length: batch }, pixels)
      const task = () => encoder.encode(pictures)
      await task()
      tasks.push(task)
    }
    const times = await interleaved(tasks, quick ? 5 : 21)
    const perSecond = (batch: number, ms: readonly number[]): Figure =>
      figure(
        'the bundled model',
        batch,
        'speed',
        'images/s',
        ms.map((t) => (1000 * batch) / t),
      )
    return {
      figures: BATCHES.map((batch, i) => perSecond(batch, times[i] ?? [])),
      notes: [`size: images at a time; ${size} x ${size} pixels`],
    }
  },
}
