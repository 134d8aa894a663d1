import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { nodeRuntime } from '../src/node/runtime.ts'
import { absent, type Bench, figure } from './bench.ts'
import { inFolder } from './temporary.ts'
import { feedsFor, layoutFor, plainForm, stepClip, stepProgram } from './training-step.ts'

const CLASSES = 10
const DEVICES = ['webgpu', 'cuda'] as const

export const placement: Bench = {
  name: 'placement',
  about: `how many operators of a training step (${CLASSES} classes) run on a graphics card, and how many of them the processor does instead`,
  async run() {
    const figures = []
    for (const device of DEVICES) {
      const counts = await placed(device).catch(() => undefined)
      if (counts === undefined) {
        figures.push(absent(device, CLASSES, 'no graphics card'))
        continue
      }
      const there = counts.filter(({ provider }) => !provider.startsWith('CPU'))
      const here = counts.filter(({ provider }) => provider.startsWith('CPU'))
      figures.push(figure(device, CLASSES, 'operators on the card', 'operators', [there.length]))
      figures.push(figure(device, CLASSES, 'operators on the processor', 'operators', [here.length]))
      for (const op of new Set(here.map(({ op }) => op)))
        figures.push(figure(device, op, 'on the processor', 'operators', [here.filter((x) => x.op === op).length]))
    }
    return { figures, notes: ['counted in the profile that ONNX Runtime writes of one run'] }
  },
}

const eventSchema = z.object({
  cat: z.string().optional(),
  name: z.string(),
  args: z.object({ op_name: z.string().optional(), provider: z.string().optional() }).optional(),
})

/** Where ONNX Runtime ran each operator of a step, by its own profile. */
function placed(device: (typeof DEVICES)[number]): Promise<{ op: string; provider: string }[]> {
  return inFolder(async (profile) => {
    const runtime = await nodeRuntime({ device, profile })
    try {
      const clip = await stepClip()
      const layout = layoutFor(clip, plainForm(CLASSES))
      const session = await runtime.load(stepProgram(clip, layout, false))
      await session.run(feedsFor(clip, layout))
      await session.dispose()
    } finally {
      await runtime.close()
    }
    const texts = await Promise.all((await readdir(profile)).map((name) => readFile(join(profile, name), 'utf8')))
    const events = texts.flatMap((text) => z.array(eventSchema).parse(JSON.parse(text)))
    return events.flatMap(({ cat, name, args: { op_name: op, provider } = {} }) =>
      cat === 'Node' && name.endsWith('_kernel_time') && op !== undefined && provider !== undefined
        ? [{ op, provider }]
        : [],
    )
  })
}
