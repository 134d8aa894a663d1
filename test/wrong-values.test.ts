import { afterAll, describe, expect, it } from 'vitest'
import { CoopError } from '../src/base/errors.ts'
import * as core from '../src/public/index.ts'
import * as node from '../src/public/node.ts'
import { tinyClip } from '../src/testing/tiny-clip.ts'

// What callers without types give is refused by an error of ours, with what is wrong and what to do.

const clip = await tinyClip()
const runtime = await node.nodeRuntime({ threads: 1 })
afterAll(() => runtime.close())

const { embedDim } = clip.config
const features = core.floatTensor([2, 1, embedDim], new Float32Array(2 * embedDim).fill(1))
const task = { clip, runtime, classNames: ['cat', 'dog'], train: { features, labels: [0, 1] }, method: 'class-mean' }
const nan = { ...features, data: new Float32Array(2 * embedDim).fill(Number.NaN) }

/** Calls as JavaScript does, where nothing checks types. */
const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
  const f: unknown = Reflect.get({ ...core, ...node }, name)
  if (typeof f !== 'function') throw new Error(`there is no ${name}`)
  return Reflect.apply(f, undefined, args)
}

describe.each<[string, ...(readonly unknown[])[]]>([
  [
    'accuracyOf',
    [],
    [['a', 'b'], [0, 1], [0]],
    [['a', 'b'], [0], [2]],
    [
      [0, 1],
      [1, 0],
      ['a', 'b'],
    ],
    [['a'], [-1], [0]],
  ],
  ['textClassifier', [], [undefined, 3]],
  ['graphClassifier', [{}, 1], [{ clip, runtime, classNames: ['a'] }, undefined]],
  ['encodeTexts', [], [clip, runtime, 'a cat'], [clip, runtime, [1]], [clip, undefined, ['a']]],
  ['imageEncoder', [], [clip, runtime, 0], [clip, runtime, Number.NaN]],
  ['embedRows', [], [clip, 'cat', [0]]],
  ['tokenRows', [clip, [0.5]]],
  ['positionRows', [clip]],
  ['promptLayout', [], [clip.tokenizer, [], { M: 4 }], [clip.tokenizer, 'cat', { M: 4 }]],
  ['nearestWords', [], [clip, runtime, [1, 2]]],
  ['readPrompt', ['prompt.safetensors']],
  ['writePrompt', []],
  ['methodNamed', [], [7], ['coup']],
  ['readSettings', [], [{}, undefined]],
  [
    'learnFewShot',
    [],
    [{}],
    [{ ...task, classNames: [] }],
    [{ ...task, classNames: 'cat' }],
    [{ ...task, classNames: ['cat', 'CAT'] }],
    [{ ...task, train: undefined }],
    [{ ...task, train: { features: [1, 2], labels: [0, 1] } }],
    [{ ...task, train: { features, labels: ['cat', 'dog'] } }],
    [{ ...task, train: { features: nan, labels: [0, 1] } }],
    [{ ...task, method: 'coup' }],
    [{ ...task, settings: 5 }],
  ],
  ['drawFewShot', [], [[], [], 0, 1], [[], [], Number.NaN, 1]],
  ['checkLearnable', [], [{}]],
  ['fileSource', [], [5]],
  ['folderModelFiles', [], [['a']]],
  ['writeFileAtomic', [], ['']],
  ['nodeRuntime', [5], [{ device: 'gpu' }], [{ threads: 'two' }], [{ threads: -1 }]],
  ['openDataset', [], [5, {}], ['photos']],
  ['readImageFolder', [], [5]],
  ['promptOfRun', [], [{}]],
  ['reportSweeps', [], ['runs'], [[]]],
  ['encodeSets', [], [clip, runtime, undefined]],
  ['train', [], [5], [''], ['photos', { shot: 4 }], ['photos', { method: 'coup' }], ['photos', 'out']],
  ['sweep', [], [[]], ['plan.yaml', { paralel: 2 }]],
  ['evaluateRun', [], ['run'], ['run', 'photos', { transfr: true }]],
  ['evaluateZeroShot', [], ['photos', { template: 'a {}' }]],
  ['openRun', [], [5], ['run', { method: [] }]],
  ['runOne', [], [{}]],
  ['readPlan', [], [{}]],
])('%s', (name, ...calls) => {
  it.each(calls.map((args, i) => [i + 1, args] as const))('refuses call %i', async (_, args) => {
    const refusal = await call(name, args).then(
      () => 'accepted',
      (error: unknown) => error,
    )
    expect(refusal).toBeInstanceOf(CoopError)
  })
})

it('an option that there is not is named, with the one that was meant', async () => {
  await expect(call('train', ['photos', { shot: 4 }])).rejects.toThrow(
    'train has no option "shot" (did you mean "shots"?)',
  )
})

it('what is right is accepted', async () => {
  expect(core.accuracyOf(['a', 'b'], [0, 1], [0, 0])).toEqual({ accuracy: 0.5, perClass: [0.5, Number.NaN] })
  const { classifier } = await core.learnFewShot(task)
  expect(classifier.classNames).toEqual(['cat', 'dog'])
  await classifier.dispose()
})
