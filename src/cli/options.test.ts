import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../base/errors.ts'
import { type CommandName, optionsOf, readSettings, SETTINGS } from './options.ts'

/** They compute, and need no flag. */
const COMPUTING = [
  'demo',
  'train',
  'evaluate',
  'zero-shot',
  'classify',
  'words',
  'datasets',
  'sweep',
  'pretrain',
] as const
const COMMANDS: readonly CommandName[] = [...COMPUTING, 'methods', 'models', 'import', 'report']

function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'accepted'
}

describe('the table of options', () => {
  it('covers all commands', () => expect(Object.keys(SETTINGS).sort()).toEqual([...COMMANDS].sort()))

  it.each(COMMANDS)('%s: each flag once, each with a help text', (command) => {
    const options = optionsOf(command)
    const flags = options.map(({ flag }) => flag)
    expect(new Set(flags).size).toBe(flags.length)
    for (const { help, flag } of options) expect(help.length, flag).toBeGreaterThan(5)
  })

  it.each(COMPUTING)('%s: works with no flag at all', (command) => {
    expect(readSettings(command, {})).toMatchObject({ json: false, verbose: false, device: 'cpu' })
  })

  it('shows as default what is taken', () => {
    for (const { key, defaultText, otherwise } of optionsOf('train')) {
      const taken = new Map(Object.entries(readSettings('train', {}))).get(key)
      if (otherwise === undefined && taken !== false) expect(defaultText).toContain(String(taken))
    }
  })
})

describe('readSettings', () => {
  it("has the paper's defaults", () => {
    const { shots, contextLength, position, classSpecific, lr, batchSize, seed } = readSettings('train', {})
    expect({ shots, contextLength, position, classSpecific, lr, batchSize, seed }).toEqual({
      shots: 16,
      contextLength: 16,
      position: 'end',
      classSpecific: false,
      lr: 0.002,
      batchSize: 32,
      seed: 1,
    })
  })

  it('honours seed 0', () => expect(readSettings('train', { seed: '0' }).seed).toBe(0))

  it('reads lists and repeated flags', () => {
    expect(readSettings('demo', { shotsList: '1, 16', seeds: '0,2', tasks: 'sports,style' })).toMatchObject({
      shotsList: [1, 16],
      seeds: [0, 2],
      tasks: ['sports', 'style'],
    })
    expect(readSettings('zero-shot', { template: ['a {}.', 'the {}.'] }).template).toEqual(['a {}.', 'the {}.'])
  })

  it('names every wrong value with flag, expected and received', () => {
    expect(
      refusal(() => readSettings('train', { shots: 'abc', lr: '-1', position: 'top', template: ['a {}', 'b'] })),
    ).toBe(
      [
        '--shots expects a whole number of at least 1, received "abc"',
        '--position expects one of end, middle, front, received "top"',
        '--lr expects a number above 0, received "-1"',
        '--template expects a prompt with {} where the class name goes, or imagenet7 or imagenet80, received "b"',
      ].join('\n'),
    )
    expect(refusal(() => readSettings('demo', { seeds: '1,,2' }))).toBe(
      '--seeds expects a whole number from 0 to 4294967295, received "1,,2"',
    )
  })

  it('reads every whole number in range and nothing else as shots', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double(), fc.string()), (value) => {
        const text = String(value)
        const number = Number(text)
        const fits = text.trim() !== '' && Number.isSafeInteger(number) && number >= 1
        if (fits) expect(readSettings('train', { shots: text }).shots).toBe(number)
        else expect(refusal(() => readSettings('train', { shots: text }))).toContain('--shots expects')
      }),
    )
  })
})
