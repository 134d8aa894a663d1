import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../base/errors.ts'
import { coop } from './coop/index.ts'
import { readSettings, settingNames } from './settings.ts'
import { METHODS } from './table.ts'

const positive = fc.double({ min: 0.001, max: 100, noNaN: true })
const count = fc.integer({ min: 1, max: 500 })
const templates = fc.array(fc.constantFrom('a photo of a {}.', 'imagenet7', '{}'), { minLength: 1, maxLength: 3 })

/** What each setting may be, whichever method has it. */
const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  templates: fc.oneof(
    templates,
    fc.constant('the {}'),
    fc.constant({ cat: ['A small animal.'], 'a dog': 'It barks.' }),
  ),
  solver: fc.constantFrom('exact', 'lpclip'),
  M: count,
  position: fc.constantFrom('end', 'middle', 'front'),
  classSpecific: fc.boolean(),
  init: fc.constantFrom(null, 'a photo of a'),
  fixed: fc.array(fc.nat(500)),
  recipe: fc.constantFrom('paper', 'fast'),
  epochs: count,
  epochScale: positive,
  batchSize: count,
  learningRate: positive,
  warmup: fc.constantFrom('constant', 'linear', 'none'),
  warmupEpochs: count,
  weight: positive,
  temperature: fc.double({ min: 0.01, max: 1000, noNaN: true }),
  C: fc.option(positive),
  rounds: fc.nat(9),
  maxIterations: count,
  iterations: count,
  ratio: fc.double({ min: 0, max: 1, noNaN: true }),
  reduction: positive.map((x) => 1 + x),
  alpha: positive,
  beta: positive,
  lambda: fc.option(positive),
  search: fc.boolean(),
  penalty: fc.constantFrom('shots', 'images'),
  repel: fc.boolean(),
  maxAlpha: positive.map((x) => 1 + x),
  alphaSteps: count,
  maxBeta: positive.map((x) => 1 + x),
  betaSteps: count,
}

describe.each(METHODS.map((method) => ({ name: method.name, method })))('settings of $name', ({ method }) => {
  const names = settingNames(method)
  const some = fc.record(Object.fromEntries(names.map((name) => [name, VALUES[name] ?? fc.constant(NaN)])), {
    requiredKeys: [],
  })

  it('are known here', () => {
    expect(names.filter((name) => VALUES[name] === undefined)).toEqual([])
  })

  it('read again are the same, and keep what was given', () => {
    fc.assert(
      fc.property(some, (given) => {
        const complete = readSettings(method, given)
        expect(readSettings(method, complete)).toEqual(complete)
        const { templates: _, ...kept } = given
        expect(complete).toMatchObject(kept)
        expect(JSON.parse(JSON.stringify(complete))).toEqual(complete)
      }),
    )
  })

  it('that are unknown or wrong are refused, all of them by name', () => {
    expect(() => readSettings(method, { colour: 'red' })).toThrow(/colour/)
    const wrong = Object.fromEntries(names.map((name) => [name, Number.NaN]))
    for (const name of names) expect(() => readSettings(method, wrong)).toThrow(new RegExp(`\\b${name}\\b`))
  })
})

it('a refusal says whose settings they are, and which there are', () => {
  const refusal = (given: object): unknown => {
    try {
      return readSettings(coop, given)
    } catch (error) {
      return error
    }
  }
  const error = refusal({ M: 0, warmup: 'slow' })
  if (!(error instanceof UsageError)) throw new Error('it is refused')
  expect(error.message).toMatch(/^settings of coop: M: .*; warmup: /)
  expect(error.remedy).toBe(
    'its settings are: M, position, classSpecific, init, fixed, recipe, epochs, epochScale, batchSize, learningRate, warmup, warmupEpochs',
  )
})
