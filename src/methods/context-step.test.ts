import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { floatTensor, intTensor } from '../graph/index.ts'
import { loadStep } from '../learning/loop.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { POSITIONS, promptLayout } from '../prompt/layout.ts'
import { contextShape } from '../prompt/prompted-tower.ts'
import type { Runtime } from '../runtime/types.ts'
import { randomTensor, worstError } from '../testing/engine.ts'
import { tinyClip, tinyConfig } from '../testing/tiny-clip.ts'
import { contextStep } from './context-step.ts'
import { coopLoss } from './coop/program.ts'

const BATCH = 3
const clip = await tinyClip(tinyConfig({ layers: 2, heads: 2 }), 5)
const { embedDim } = clip.config

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

const words = fc.stringMatching(/^[a-d]{1,3}( [a-d]{1,3}){0,2}$/)

it('is the same step in blocks of classes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(words, { minLength: 2, maxLength: 9 }),
      fc.constantFrom(...POSITIONS),
      fc.boolean(),
      fc.integer({ min: 14, max: 40 }),
      async (classNames, position, classSpecific, maxRows) => {
        const layout = promptLayout(clip.tokenizer, classNames, { M: 2, position, classSpecific })
        const feeds = {
          ctx: randomTensor(contextShape(clip, layout), 1),
          features: randomTensor([BATCH, embedDim], 2),
          labels: intTensor([BATCH], [0, 1, classNames.length - 1]),
        }
        const [whole, inBlocks] = [Number.POSITIVE_INFINITY, maxRows].map((most) =>
          contextStep(clip, layout, coopLoss(clip, BATCH), most, maxRows),
        )
        const run = async (step = whole) => {
          const session = await loadStep(runtime, step ?? expect.fail())
          try {
            return await session.run(feeds)
          } finally {
            await session.dispose()
          }
        }
        const expected = await run()
        const found = await run(inBlocks)
        for (const name of ['loss', 'logits', 'gradient.ctx']) {
          const [a = floatTensor([0]), b = floatTensor([1])] = [found[name], expected[name]]
          expect(a.shape).toEqual(b.shape)
          expect(worstError(a.data, b.data)).toBeLessThan(1e-5)
        }
      },
    ),
    { numRuns: 15, seed: 2 },
  )
})
