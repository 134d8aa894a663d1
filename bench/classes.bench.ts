import { coopStep } from '../src/methods/coop/program.ts'
import { type Bench, figure } from './bench.ts'
import { interleaved, timed } from './measure.ts'
import { BATCH, feedsFor, layoutFor, stepClip } from './training-step.ts'

/** EuroSAT, DTD, Caltech-101 (nearly) and SUN397. */
const COUNTS = [10, 47, 100, 397]

export const classes: Bench = {
  name: 'classes',
  about: 'a packed training step by number of classes: tokens computed, time to build, to make a session, to run',
  async run(runtime, { quick }) {
    const clip = await stepClip()
    const steps = []
    for (const count of quick ? COUNTS.slice(0, -1) : COUNTS) {
      const layout = layoutFor(clip, count)
      const build = await timed(() => coopStep(clip, layout, BATCH))
      const load = await timed(() => runtime.load(build.result))
      const feeds = feedsFor(clip, layout)
      const run = () => load.result.run(feeds)
      await run()
      steps.push({ count, layout, build, load, run })
    }
    const times = await interleaved(
      steps.map(({ run }) => run),
      quick ? 2 : 5,
    )
    return {
      figures: steps.flatMap(({ count, layout, build, load }, i) => [
        figure(`${count} classes: tokens`, 'tokens', [layout.packing.slots.length]),
        figure(`${count} classes: build`, 'ms', [build.ms]),
        figure(`${count} classes: session`, 'ms', [load.ms]),
        figure(`${count} classes: step`, 'ms', times[i] ?? []),
      ]),
      notes: ['a session includes encoding the program and copying 150 MB of weights'],
    }
  },
}
