import { trainingProgram } from '../src/prompt/prompted-tower.ts'
import { type Bench, figure } from './bench.ts'
import { interleaved } from './measure.ts'
import { paddedTrainingProgram } from './padded-step.ts'
import { BATCH, expectEqual, feedsFor, layoutFor, M, stepClip } from './training-step.ts'

const CLASSES = 100
/** Times fewer milliseconds that packing is to take. */
const WANTED = 12
/** Relative to the largest entry. */
const BOUND = 1e-4

export const packing: Bench = {
  name: 'packing',
  about: `one training step of ${CLASSES} classes, M = ${M}, at CLIP's text width: packed prompts and prompts padded to 77 tokens`,
  async run(runtime, { quick }) {
    const clip = await stepClip()
    const layout = layoutFor(clip, CLASSES)
    const feeds = feedsFor(clip, layout)
    const packed = await runtime.load(trainingProgram(clip, layout, BATCH))
    const padded = await runtime.load(paddedTrainingProgram(clip, layout, BATCH))

    const [a, b] = [await packed.run(feeds), await padded.run(feeds)]
    const errors = ['loss', 'gradient'].map((name) => expectEqual(name, a[name], b[name], BOUND))
    const [packedTimes = [], paddedTimes = []] = await interleaved(
      [() => packed.run(feeds), () => padded.run(feeds)],
      quick ? 2 : 5,
    )
    const figures = [figure('packed', 'ms', packedTimes), figure('padded', 'ms', paddedTimes)]
    const [short, long] = figures.map((f) => f.median)
    const ratio = (long ?? Number.NaN) / (short ?? Number.NaN)
    const ratios = paddedTimes.map((ms, i) => ms / (packedTimes[i] ?? Number.NaN))
    return {
      figures: [...figures, figure('padded / packed, round by round', 'times', ratios)],
      notes: [
        `tokens: ${layout.packing.slots.length} packed, ${CLASSES * clip.config.text.contextLength} padded`,
        `same loss and gradient: they differ by ${errors.map((e) => e.toExponential(1)).join(' and ')} of the largest entry`,
        `ratio of the medians: ${ratio.toFixed(1)} (at least ${WANTED}: ${ratio >= WANTED ? 'yes' : 'NO'})`,
      ],
    }
  },
}
