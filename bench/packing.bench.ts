import { coopStep } from '../src/methods/coop/program.ts'
import { type Bench, figure } from './bench.ts'
import { interleaved } from './measure.ts'
import { paddedTrainingProgram } from './padded-step.ts'
import { BATCH, expectEqual, feedsFor, layoutFor, M, stepClip } from './training-step.ts'

const CLASSES = 100
/** Times fewer milliseconds that packing is to take. */
const WANTED = 12
/** Packed steps for each padded one. */
const PACKED_RUNS = 5
/** Relative to the largest entry. */
const BOUND = 1e-4

export const packing: Bench = {
  name: 'packing',
  about: `one training step of ${CLASSES} classes, M = ${M}, at CLIP's text width: packed prompts and prompts padded to 77 tokens`,
  async run(runtime, { quick }) {
    const clip = await stepClip()
    const layout = layoutFor(clip, CLASSES)
    const feeds = feedsFor(clip, layout)
    const packed = await runtime.load(coopStep(clip, layout, BATCH))
    const padded = await runtime.load(paddedTrainingProgram(clip, layout, BATCH))

    const [a, b] = [await packed.run(feeds), await padded.run(feeds)]
    const errors = (['loss', 'gradient.ctx'] as const).map((name) => expectEqual(name, a[name], b[name], BOUND))
    // The short one several times around each of the long one, so that both see the same weather.
    const tasks = [...new Array<typeof packed>(PACKED_RUNS).fill(packed), padded]
    const times = await interleaved(
      tasks.map((session) => () => session.run(feeds)),
      quick ? 2 : 4,
    )
    const short = figure('packed', 'ms', times.slice(0, -1).flat())
    const long = figure('padded', 'ms', times.at(-1) ?? [])
    const ratio = long.median / short.median
    const best = Math.min(...long.raw) / Math.min(...short.raw)
    return {
      figures: [short, long],
      notes: [
        `tokens: ${layout.packing.slots.length} packed, ${CLASSES * clip.config.text.contextLength} padded`,
        `same loss and gradient: they differ by ${errors.map((e) => e.toExponential(1)).join(' and ')} of the largest entry`,
        `ratio of the medians: ${ratio.toFixed(1)} (at least ${WANTED}: ${ratio >= WANTED ? 'yes' : 'NO'})`,
        `ratio of the shortest times: ${best.toFixed(1)}`,
      ],
    }
  },
}
