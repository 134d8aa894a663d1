import { describe, expect, it } from 'vitest'
import type { Clip } from '../src/clip/types.ts'
import type { Program, Tensor } from '../src/graph/index.ts'
import { coopStep } from '../src/methods/coop/program.ts'
import { promptLayout } from '../src/prompt/layout.ts'
import { engine, worstError } from '../src/testing/engine.ts'
import { classNames, piecesOf } from './class-names.ts'
import { interleaved, median } from './measure.ts'
import { paddedTrainingProgram } from './padded-step.ts'
import { benchClip } from './text-model.ts'
import { BATCH, expectEqual, feedsFor } from './training-step.ts'

async function run<Out extends string>(program: Program<Out>, feeds: Readonly<Record<string, Tensor>>) {
  const session = await engine.load(program)
  return session.run(feeds).finally(() => session.dispose())
}

const layoutOf = (clip: Clip, position: 'end' | 'front' = 'end') =>
  promptLayout(clip.tokenizer, classNames(7), { M: 3, position, classSpecific: false })

describe('the padded training step', async () => {
  const clip = await benchClip({ width: 16, heads: 2, layers: 2, mlpWidth: 32, contextLength: 12 })

  it('has the loss, logits and gradient of the packed one', async () => {
    const layout = layoutOf(clip)
    const feeds = feedsFor(clip, layout)
    const packed = await run(coopStep(clip, layout, BATCH), feeds)
    const padded = await run(paddedTrainingProgram(clip, layout, BATCH), feeds)
    for (const name of ['loss', 'logits', 'gradient.ctx'] as const) {
      const { data } = packed[name]
      expect(data.some((x) => x !== 0)).toBe(true)
      expect(worstError(padded[name].data, data)).toBeLessThan(1e-5)
      expectEqual(name, padded[name], packed[name], 1e-4)
    }
    expect(() => expectEqual('gradient.ctx', packed['gradient.ctx'], packed.loss, 1e-4)).toThrow('not the same shape')
  })

  it('computes every padded row', () => {
    const { nodes } = paddedTrainingProgram(clip, layoutOf(clip), BATCH)
    const rows = nodes.flatMap(({ op, outputs }) => (op === 'LayerNormalization' ? (outputs[0]?.shape[0] ?? 0) : []))
    expect(Math.max(...rows)).toBe(7 * 12)
  })

  it('is for class names at the end', () => {
    expect(() => paddedTrainingProgram(clip, layoutOf(clip, 'front'), BATCH)).toThrow('class at the end')
  })
})

describe('measuring', () => {
  it('takes the middle value', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('alternates the order', async () => {
    const order: string[] = []
    const task = (name: string) => async () => void order.push(name)
    const times = await interleaved([task('a'), task('b')], 2)
    expect(order.join('')).toBe('abba')
    expect(times.map((t) => t.length)).toEqual([2, 2])
  })

  it('has a hundred different names of two tokens on average', () => {
    const names = classNames(100)
    expect(new Set(names).size).toBe(100)
    const tokens = names.map((name) => piecesOf(name).length)
    expect([Math.min(...tokens), Math.max(...tokens)]).toEqual([1, 4])
    expect(tokens.reduce((a, b) => a + b) / 100).toBeCloseTo(2.06, 1)
    expect(new Set(classNames(5000)).size).toBe(5000)
    expect(classNames(101).map((name) => piecesOf(name).length)[100]).toBe(tokens[0])
  })
})
