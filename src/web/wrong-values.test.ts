import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CoopError } from '../base/errors.ts'
import { nodeRuntime } from '../node/runtime.ts'
import * as web from '../public/web.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip } from '../testing/tiny-clip.ts'

// What callers of coop-ts/web give wrongly is refused before a page, a worker or the network is asked for anything.

const clip = await tinyClip()
let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
  vi.stubGlobal('fetch', () => Promise.reject(new Error('the network was asked')))
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await runtime.close()
})

const picture = new File(['no picture'], 'cat.png')
const classes = [
  { name: 'cat', files: [picture] },
  { name: 'dog', files: [picture] },
]
const item = { path: picture, label: 0 }
const data = { name: 'pets', classNames: ['cat', 'dog'], train: [item, { ...item, label: 1 }], test: [item] }

/** Calls as JavaScript does, where nothing checks types: what it ends with, its error or undefined. */
async function refusalOf(name: string, args: readonly unknown[]): Promise<unknown> {
  const f: unknown = Reflect.get(web, name)
  if (typeof f !== 'function') throw new Error(`there is no ${name}`)
  try {
    await Reflect.apply(f, undefined, args)
  } catch (error) {
    return error
  }
}

const NOTHING = [undefined, null, 5, 'text', true, []]
const model = { model: clip }

/** For each function, calls that are wrong in one place. */
const CALLS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  webRuntime: [
    [null],
    [5],
    [{ device: 'cuda' }],
    [{ device: 'gpu' }],
    [{ device: 5 }],
    [{ threads: 0 }],
    [{ core: 1 }],
  ],
  train: [
    ...NOTHING.map((wrong) => [wrong, { ...model, runtime: {} }]),
    ...NOTHING.map((wrong) => [data, wrong]),
    ...[null, 5, [], {}].map((wrong) => [data, { model: wrong }]),
    [data, { ...model, seed: -1 }],
    [data, { ...model, shots: 0 }],
    [data, { ...model, views: 2000 }],
    [data, { ...model, views: 'offline' }],
    [data, { ...model, measureEvery: 0 }],
    [data, { ...model, method: 'coup' }],
    [data, { ...model, method: 5 }],
    [data, { ...model, settings: { M: 'many' } }],
    [data, { ...model, testShare: 0.5 }],
    [data, { ...model, shot: 4 }],
    [{ ...data, train: [{ path: picture, label: 2 }] }, model],
    [{ ...data, classNames: ['cat'] }, model],
    [data, model, 5],
  ],
  evaluateZeroShot: [
    ...NOTHING.map((wrong) => [wrong, model]),
    ...NOTHING.map((wrong) => [data, wrong]),
    [{ ...data, test: [] }, model],
    [data, { ...model, template: 'a {}' }],
    [data, model, 5],
  ],
  evaluateRun: [
    ...NOTHING.map((wrong) => [wrong, data, model]),
    ...NOTHING.map((wrong) => [new Uint8Array(), data, wrong]),
    [new Uint8Array(), data, model],
    [new Map(), data, model],
    [new Blob(['{}']), data, model],
  ],
  openRun: [
    ...NOTHING.map((wrong) => [wrong, model]),
    ...NOTHING.map((wrong) => [new Uint8Array(), wrong]),
    [new Uint8Array(16), model],
    [new Map(), model],
  ],
  readRun: [...NOTHING.map((wrong) => [wrong]), [new Uint8Array(16)], [{}], [new Map()]],
  filesDataset: [
    ...NOTHING.map((wrong) => [wrong]),
    [[]],
    [[classes[0]]],
    [[{ name: 'cat' }, classes[1]]],
    [[{ name: 'cat', files: [] }, classes[1]]],
    [[classes[0], classes[0]]],
    [classes, { testShare: 2 }],
    [classes, 5],
  ],
  imageFeatures: [
    ...NOTHING.map((wrong) => [wrong, {}, [picture]]),
    ...NOTHING.map((wrong) => [clip, wrong, [picture]]),
    ...NOTHING.slice(0, -1).map((wrong) => [clip, { load: 5 }, wrong]),
  ],
  decodeImage: [...NOTHING.map((wrong) => [wrong, 'it']), [{ width: 2, height: 2, data: new Uint8Array(3) }, 'it']],
  encodePng: [...NOTHING.map((wrong) => [wrong]), [{ width: 2, height: 2, data: new Uint8Array(3) }]],
  urlModel: [
    [5, 5],
    ['/model/', 5],
    ['/model/', { kept: true }],
    ['/model/', { files: 'all' }],
    ['not below anything'],
  ],
  fileModel: [...NOTHING.map((wrong) => [wrong]), [[5]]],
  hubModel: [...NOTHING.map((wrong) => [wrong]), ['a/b', { kept: true }], ['a/b', 5]],
  removeStoredModel: NOTHING.filter((wrong) => wrong !== 'text').map((wrong) => [wrong]),
}

it('every function of the entry for pages has its row, but those that take nothing', () => {
  const functions = Object.entries(web).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
  expect(Object.keys(CALLS).sort()).toEqual(
    functions.filter((name) => !['storedModels', 'browserRuns'].includes(name)).sort(),
  )
})

describe.each(Object.entries(CALLS))('%s', (name, calls) => {
  it.each(calls.map((args, i) => [i + 1, args] as const))('refuses call %i', async (_, args) => {
    const error = await refusalOf(name, args)
    expect(error, String(error)).toBeInstanceOf(CoopError)
  })
})
