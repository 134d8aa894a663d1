import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError, UsageError } from '../base/errors.ts'
import { bytesSource } from '../formats/safetensors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { softmaxRows } from '../learning/vectors.ts'
import { decodeImage } from '../node/image.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { readPrompt, writePrompt } from '../prompt/learned-prompt.ts'
import { promptClassifier } from '../prompt/prompt-classifier.ts'
import type { Runtime } from '../runtime/types.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { imageRows } from '../trained/pictures.ts'
import { evaluateRun } from './evaluate.ts'
import { openModel } from './model.ts'
import { openRun } from './open-run.ts'
import { encodeSets } from './pictures.ts'
import { promptOfRun } from './saved-run.ts'
import { train } from './train.ts'

let world: TinyWorld
let runtime: Runtime
const at = (...path: readonly string[]) => join(world.root, ...path)
const picture = (name: string) => join(world.photos, `${name}.png`)
beforeAll(async () => {
  world = await tinyWorld()
  runtime = await nodeRuntime({ threads: 1 })
  const given = { model: world.model, cache: at('cache'), threads: 1, shots: 4 }
  await train(world.photos, {
    ...given,
    out: at('coop'),
    method: 'coop',
    settings: { M: 2, recipe: 'fast', epochs: 20 },
  })
  await train(world.photos, {
    ...given,
    out: at('tip'),
    method: 'tip-adapter-f',
    settings: { epochs: 2, search: false },
  })
})
afterAll(async () => {
  await runtime.close()
  await world.remove()
})

describe.each(['coop', 'tip'])('an open run (%s)', (name) => {
  it('classifies paths, bytes and decoded pictures alike, as often as it is asked', async () => {
    const run = await openRun(at(name), { runtime })
    expect(run.classNames).toEqual(['blue', 'green', 'red'])
    const path = picture('red/3')
    const all = await run.classify([path, await readFile(path), await decodeImage(path)])
    const [one] = await run.classify([path])
    for (const labels of all) {
      expect(labels.map(({ label }) => label)).toEqual(one?.map(({ label }) => label))
      for (const [i, { probability }] of labels.entries())
        expect(probability).toBeCloseTo(one?.[i]?.probability ?? 0, 5)
      expect(labels.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5)
    }
    expect(await run.classify([])).toEqual([])
    await run.dispose()
  })

  it('has the logits that its answers come from, and the accuracy of its results', async () => {
    const run = await openRun(at(name), { runtime })
    const { clip } = await openModel(world.model, {})
    const items = ['blue/1', 'red/1', 'red/2'].map((word) => ({ path: picture(word), label: 0 }))
    const [images] = await encodeSets(clip, runtime, [{ items }])
    const probabilities = softmaxRows(await run.logits(imageRows(images)), run.temperature)
    const answers = await run.classify(items.map(({ path }) => path))
    for (const [i, labels] of answers.entries()) {
      const best = run.classNames.indexOf(labels[0]?.label ?? '')
      expect(probabilities.data[3 * i + best]).toBeCloseTo(labels[0]?.probability ?? 0, 5)
    }
    await expect(run.logits(floatTensor([2, 7]))).rejects.toThrow(/\(n, 10\)/)
    await run.dispose()
    const { accuracy } = JSON.parse(await readFile(at(name, 'results.json'), 'utf8'))
    expect((await evaluateRun(at(name), world.photos, { threads: 1, cache: at('cache') }, {})).accuracy).toBe(accuracy)
  })

  it('has a runtime of its own where it is given none, and leaves a given one open', async () => {
    const own = await openRun(at(name), { threads: 1 })
    expect(await own.classify([picture('blue/2')])).toHaveLength(1)
    await own.dispose()
    const shared = await openRun(at(name), { runtime })
    await shared.dispose()
    const again = await openRun(at(name), { runtime })
    expect(await again.classify([picture('blue/2')])).toHaveLength(1)
    await again.dispose()
  })
})

it('the two halves of classify give what it gives, for any number of pictures', async () => {
  const run = await openRun(at('coop'), { runtime })
  const paths = Array.from({ length: 13 }, (_, i) => picture(`${['blue', 'green', 'red'][i % 3]}/${i % 4}`))
  for (const count of [1, 2, 3, 4, 5, 7, 8, 13]) {
    const some = paths.slice(0, count)
    const halves = await run.classifyPixels(await Promise.all(some.map((path) => run.pixels(path, path))))
    expect(halves).toEqual(await run.classify(some))
    const [last] = await run.classify(some.slice(-1))
    expect(halves.at(-1)?.map(({ label }) => label)).toEqual(last?.map(({ label }) => label))
  }
  await expect(run.pixels(paths[0] ?? '', 'it', { maxPixels: 119 })).rejects.toThrow(/12 x 10 pixels are more than 119/)
  await run.dispose()
})

it('a picture that cannot be read is an error, and the run goes on', async () => {
  const run = await openRun(at('coop'), { runtime })
  await expect(run.classify([at('no.png')])).rejects.toThrow(FileError)
  await expect(run.classify([new Uint8Array([1, 2, 3])])).rejects.toThrow(/picture 1 cannot be read/)
  expect(await run.classify([picture('green/1')])).toHaveLength(1)
  await run.dispose()
})

it('many pictures get the answers that each gets by itself, and are counted through', async () => {
  const run = await openRun(at('coop'), { runtime })
  const many = Array.from({ length: 40 }, (_, i) => picture(`${['blue', 'green', 'red'][i % 3]}/${1 + (i % 4)}`))
  const together = await run.classify(many)
  for (const i of [0, 7, 31, 32, 39]) {
    const [alone] = await run.classify(many.slice(i, i + 1))
    expect(together[i]?.map(({ label }) => label)).toEqual(alone?.map(({ label }) => label))
  }
  await expect(run.classify([...many, new Uint8Array([1])])).rejects.toThrow(/picture 41 cannot be read/)
  await run.dispose()
})

it('what is not a list of pictures is refused in words', async () => {
  const run = await openRun(at('coop'), { runtime })
  const untyped = (pictures: unknown) => Reflect.apply(run.classify, run, [pictures])
  await expect(untyped('x.jpg')).rejects.toThrow(/takes a list/)
  for (const wrong of [42, {}, null, { width: 0, height: 0, data: new Uint8Array() }]) {
    await expect(untyped([picture('green/1'), wrong])).rejects.toThrow(/picture 2 is neither/)
  }
  await expect(untyped([{ width: 2, height: 2, data: new Uint8Array(16) }])).rejects.toThrow(UsageError)
  await run.dispose()
})

it('a folder that is no run, and another model, are refused by name', async () => {
  await expect(openRun(at('photos'))).rejects.toThrow(/is not a run folder/)
  await expect(openRun(at('coop'), { model: world.otherModel, runtime })).rejects.toThrow(
    /was learned with another model/,
  )
})

it('the prompt of a run of coop is read and written by itself', async () => {
  const prompt = await promptOfRun(at('coop'))
  const { clip } = await openModel(world.model, {})
  const read = await readPrompt(bytesSource('prompt', writePrompt(prompt)))
  expect(read).toEqual(prompt)
  const classifier = await promptClassifier(clip, runtime, read)
  const features = floatTensor(
    [2, 10],
    Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
  )
  const run = await openRun(at('coop'), { runtime })
  expect((await classifier.logits(features)).data).toEqual((await run.logits(features)).data)
  await Promise.all([classifier.dispose(), run.dispose()])
  await expect(promptOfRun(at('tip'))).rejects.toThrow(/is not a learned prompt/)
})
