import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { randomFor } from '../base/random.ts'
import { embedRows } from '../clip/encode.ts'
import { pack } from '../clip/towers/packing.ts'
import { textTower } from '../clip/towers/text-tower.ts'
import { ACTIVATIONS, type Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import { type FloatTensor, floatTensor, Graph, intTensor, type Program, program, type Tensor } from '../graph/index.ts'
import { normaliseRows } from '../learning/vectors.ts'
import { coopStep } from '../methods/coop/program.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { distance } from '../testing/distance.ts'
import { tinyClip, tinyConfig } from '../testing/tiny-clip.ts'
import { randomContext } from './context-start.ts'
import { POSITIONS, promptLayout } from './layout.ts'
import { classFeaturesProgram, contextShape } from './prompted-tower.ts'

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

async function run<Out extends string>(p: Program<Out>, feeds: Readonly<Record<string, Tensor>>) {
  const session = await runtime.load(p)
  return session.run(feeds).finally(() => session.dispose())
}

/** A standard normal context ten times the usual size, so that it matters beside words. */
function contextOf(clip: Clip, layout: ReturnType<typeof promptLayout>, seed: number): FloatTensor {
  const { shape, data } = randomContext(contextShape(clip, layout), seed)
  return floatTensor(
    shape,
    data.map((x) => 10 * x),
  )
}

const figures = z.object({
  cases: z.array(
    z.object({
      position: z.enum(POSITIONS),
      classSpecific: z.boolean(),
      loss: z.number(),
      logits: z.array(z.number()),
      gradient: z.array(z.number()),
    }),
  ),
})

describe('a training step against an independent padded float64 program', async () => {
  const { cases } = figures.parse(
    JSON.parse(readFileSync(new URL('fixtures/prompted-tower.json', import.meta.url), 'utf8')),
  )
  const clip = await tinyClip(tinyConfig({ activation: 'gelu', heads: 3 }), 7)
  const names = ['dog', 'toilet_paper', 'cats & dogs (small)', 'house']
  const random = randomFor('features', 1)
  const features = floatTensor(
    [5, 10],
    Float32Array.from({ length: 50 }, () => random.normal()),
  )

  it.each(cases)('$position, class-specific $classSpecific', async (expected) => {
    const layout = promptLayout(clip.tokenizer, names, { M: 3, ...expected })
    const {
      loss,
      logits,
      'gradient.ctx': gradient,
    } = await run(coopStep(clip, layout, 5), {
      ctx: contextOf(clip, layout, 5),
      features,
      labels: intTensor([5], [3, 0, 2, 2, 1]),
    })
    expect(distance(loss.data, [expected.loss])).toBeLessThan(1e-5)
    expect(distance(logits.data, expected.logits)).toBeLessThan(1e-5)
    expect(distance(gradient.data, expected.gradient)).toBeLessThan(2e-5)
  })
})

/** Features of one sequence alone, nothing shared: rows as they stand in a table of context vectors and words. */
async function plainFeatures(clip: Clip, rows: FloatTensor): Promise<Float32Array> {
  const { text, embedDim } = clip.config
  const length = rows.shape[0] ?? 0
  const graph = new Graph()
  const x = graph.input('x', rows.shape)
  const packing = pack([Array.from({ length }, (_, i) => i)], false)
  const y = textTower(constantParameters(graph, clip.weights), text, embedDim, packing, x)
  const { features } = await run(program(graph, { features: y }), { x: rows })
  return features.data
}

describe('packed prompts', () => {
  const names = ['dog', 'cat', 'house', 'toilet_paper', 'small dogs', 'the photo (old)', 'a drawing']
  const prompts = fc.record({
    classNames: fc.subarray(names, { minLength: 1 }),
    M: fc.integer({ min: 1, max: 5 }),
    position: fc.constantFrom(...POSITIONS),
    classSpecific: fc.boolean(),
    heads: fc.constantFrom(1, 2, 4),
    layers: fc.constantFrom(1, 3),
    activation: fc.constantFrom(...ACTIVATIONS),
    seed: fc.integer({ min: 0, max: 1000 }),
  })

  it('have the features that each prompt has alone', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, async ({ classNames, heads, layers, activation, seed, ...shape }) => {
        const clip = await tinyClip(tinyConfig({ heads, layers, activation }), seed)
        const layout = promptLayout(clip.tokenizer, classNames, shape)
        const ctx = contextOf(clip, layout, seed)
        const { features } = await run(classFeaturesProgram(clip, layout), { ctx })

        const { width } = clip.config.text
        const plain: number[] = []
        for (const slots of layout.sequences) {
          const positions = slots.map((_, i) => i)
          const tokens = slots.map((slot) => layout.tokens[slot - layout.contextRows] ?? 0)
          const rows = embedRows(clip, tokens, positions)
          const positional = clip.weights.get('positional_embedding')?.data ?? new Float32Array()
          for (const [i, slot] of slots.entries()) {
            if (slot >= layout.contextRows) continue
            for (let j = 0; j < width; j++) {
              rows.data[i * width + j] = ctx.data[slot * width + j]! + positional[i * width + j]!
            }
          }
          plain.push(...(await plainFeatures(clip, rows)))
        }
        const expected = normaliseRows(floatTensor([classNames.length, 10], Float32Array.from(plain)))
        expect(distance(features.data, expected.data)).toBeLessThan(1e-5)
      }),
      { numRuns: 12, seed: 1 },
    )
  })
})
