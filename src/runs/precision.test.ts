import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { saveOpenClip } from '../lab/pretrain/save.ts'
import { tinyClip, tinyTables } from '../testing/tiny-clip.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { evaluateRun, evaluateZeroShot } from './evaluate.ts'
import { featuresOfData, writeFeatures } from './features.ts'
import { openRun } from './open-run.ts'
import { readSavedRun } from './saved-run.ts'
import { train } from './train.ts'

let world: TinyWorld
const at = (...path: readonly string[]) => join(world.root, ...path)
const settings = () => ({ model: world.model, cache: at('cache'), threads: 1 })
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

/** The same CLIP in float32, but of a channel ten thousand times as loud, which leaves 8 bits nothing for the others. */
async function saveLoudClip(folder: string): Promise<void> {
  const { config, weights } = await tinyClip()
  const { width, mlpWidth } = { width: 8, mlpWidth: 16 }
  const LOUD = 10_000
  const dataOf = (name: string) => weights.get(`visual.transformer.resblocks.${name}`)?.data ?? new Float32Array()
  const loud = (block: number, from: string, to: string, rows: number) => {
    for (const part of ['weight', 'bias']) dataOf(`${block}.${from}.${part}`)[0]! *= LOUD
    for (let row = 0; row < rows; row++) dataOf(`${block}.${to}`)[row * width]! /= LOUD
  }
  for (const block of [0, 1]) {
    loud(block, 'ln_1', 'attn.in_proj_weight', 3 * width)
    loud(block, 'ln_2', 'mlp.c_fc.weight', mlpWidth)
  }
  await mkdir(folder)
  for (const [file, bytes] of saveOpenClip(config, weights, tinyTables, { dtype: 'float32' })) {
    await writeFile(join(folder, file), bytes)
  }
}

describe('--precision int8', () => {
  it('says what is lost on the pictures, keeps it with the run, and encodes for the run in the same way', async () => {
    const warnings: string[] = []
    const how = {
      ...settings(),
      method: 'class-mean',
      testShare: 0.5,
      views: 0,
      precision: 'int8',
      out: at('run'),
    } as const
    const run = await train(world.photos, how, { onWarning: (text) => warnings.push(text) })
    expect(warnings.join()).toMatch(
      /int8: on 30 of the pictures its features have a cosine of 0\.9\d+ to those of float32/,
    )
    expect(run.precision).toMatchObject({ used: 'int8', pictures: 30 })
    expect(run.precision?.cosine.mean).toBeGreaterThan(0.99)
    expect(run.precision?.sameAnswers).toBeGreaterThan(0)
    expect((await readSavedRun(at('run'))).precision).toBe('int8')

    // a picture that it is asked about has the features that it learned from
    const { features } = await featuresOfData(world.photos, { ...settings(), precision: 'int8' })
    const opened = await openRun(at('run'), { threads: 1 })
    try {
      const [labels] = await opened.classify([at('photos/blue/0.png')])
      const logits = await opened.logits({ ...features, shape: features.shape })
      const first = Array.from(logits.data.subarray(0, 3))
      const sum = first.reduce((total, x) => total + Math.exp(x / opened.temperature), 0)
      const expected =
        Math.exp((first[opened.classNames.indexOf(labels?.[0]?.label ?? '')] ?? 0) / opened.temperature) / sum
      expect(labels?.[0]?.probability).toBeCloseTo(expected, 6)
    } finally {
      await opened.dispose()
    }
    const evaluated = await evaluateRun(at('run'), world.photos, { cache: at('cache'), threads: 1 })
    expect(evaluated.accuracy).toBe(run.accuracy)
  })

  it('never takes kept features of the other precision', async () => {
    const cache = at('one-cache')
    const features = async (precision: 'float32' | 'int8') =>
      (await featuresOfData(world.photos, { ...settings(), cache, precision })).features.data
    const [exact, rounded] = [await features('float32'), await features('int8')]
    expect(rounded).not.toEqual(exact)
    expect([await features('float32'), await features('int8')]).toEqual([exact, rounded])
    expect(await features('float32')).toEqual(
      (await featuresOfData(world.photos, { ...settings(), cache: at('x') })).features.data,
    )
  })

  it('writes into a file of features what they are, for the run that learns from it', async () => {
    const found = await featuresOfData(world.photos, { ...settings(), precision: 'int8' })
    await writeFeatures(at('features.safetensors'), found)
    await train(at('features.safetensors'), { ...settings(), method: 'class-mean', out: at('of-features') })
    expect((await readSavedRun(at('of-features'))).precision).toBe('int8')
  })

  it('is said and not used where it loses too much', async () => {
    await saveLoudClip(at('loud'))
    const warnings: string[] = []
    const how = { ...settings(), model: at('loud'), precision: 'int8' } as const
    const found = await evaluateZeroShot(world.photos, how, { onWarning: (text) => warnings.push(text) })
    expect(warnings.join()).toMatch(/int8 loses too much and is not used: on 30 of the pictures/)
    expect(found.precision?.used).toBe('float32')
    const exact = await featuresOfData(world.photos, { ...settings(), model: at('loud') })
    expect((await featuresOfData(world.photos, how)).features.data).toEqual(exact.features.data)
  })

  it.each(['int4', 8, null])('is refused as %j', async (precision) => {
    const wrong = [world.photos, { ...settings(), precision }] as const
    for (const call of [train, evaluateZeroShot, featuresOfData]) {
      await expect(Reflect.apply(call, undefined, wrong)).rejects.toThrow(/precision.*float32 or int8/)
    }
  })
})
