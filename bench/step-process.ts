// One training step in a process of its own, so that its memory can be told: node --import tsx step-process.ts TASK
import { loadStep } from '../src/learning/loop.ts'
import { nodeRuntime } from '../src/node/runtime.ts'
import { interleaved, timed } from './measure.ts'
import { estimatedMemory, peakMemory } from './memory.ts'
import { countingRuntime, loadProducts } from './products.ts'
import { feedsFor, layoutFor, type StepAnswer, type StepTask, stepClip, trainingStep } from './training-step.ts'

const task: StepTask = JSON.parse(process.argv[2] ?? '{}')
console.log(JSON.stringify(await measured(task)))

async function measured({ rounds, threads, products, ...form }: StepTask): Promise<StepAnswer> {
  const clip = await stepClip()
  const layout = layoutFor(clip, form)
  const build = await timed(() => trainingStep(clip, layout, form.padded))
  // what is done in blocks takes the memory of one
  const needed = typeof build.result === 'function' ? 0 : estimatedMemory(build.result)
  const free = process.availableMemory() / 1e6
  if (needed > free) {
    return { kind: 'too large', why: `would take about ${gigabytes(needed)}, ${gigabytes(free)} are free` }
  }
  const runtime = await nodeRuntime({ threads })
  try {
    const counting = countingRuntime(runtime)
    const load = await timed(() => loadStep(counting.runtime, build.result))
    const feeds = feedsFor(clip, layout)
    const step = () => load.result.run(feeds)
    await step()
    const runs = new Map(counting.runs) // in one step
    await step()
    const memory = await peakMemory()
    const bare = products ? await loadProducts(runtime, runs) : undefined
    const tasks = bare === undefined ? [step] : [step, bare.run]
    for (let i = 0; i < 2; i++) await bare?.run()
    const [times = [], alone = []] = await interleaved(tasks, rounds)
    const rows = layout.packing.slots.length
    return {
      kind: 'measured',
      rows: form.padded ? layout.classes * clip.config.text.contextLength : rows,
      flops: bare?.flops ?? 0,
      memory,
      build: build.ms,
      session: load.ms,
      step: [...times],
      products: [...alone],
    }
  } finally {
    await runtime.close()
  }
}

const gigabytes = (megabytes: number) => `${(megabytes / 1000).toFixed(1)} GB`
