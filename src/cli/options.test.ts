import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../base/errors.ts'
import { demo } from '../lab/commands/demo.ts'
import { pretrain } from '../lab/commands/pretrain.ts'
import { drawSamples } from '../lab/commands/samples.ts'
import { METHODS, settingNames } from '../methods/index.ts'
import { ended } from '../testing/coop.ts'
import { aboutCommands } from './commands/about.ts'
import { train } from './commands/train.ts'
import { COMMANDS } from './coop.ts'
import { flags, list, positive, readSettings, whole, wholeOr } from './options.ts'
import { seed, templates } from './shared-options.ts'

const TABLES = [COMMANDS, [demo, pretrain, drawSamples]]
const ALL = TABLES.flatMap((table) => aboutCommands(table).map((command) => ({ ...command, table })))

function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'accepted'
}

describe.each(ALL)('coop $name', ({ name, options, table }) => {
  it('has each flag once, and shows each once in its help', async () => {
    const own = options.map(({ flag }) => flag)
    expect(new Set(own).size).toBe(own.length)
    const { stdout } = await ended([name, '--help'], table)
    const shown = [...stdout.matchAll(/^ {2}(?:-o, )?(--[a-z0-9-]+)(?: |$)/gm)].map(([, flag]) => flag)
    expect(shown).toEqual(own)
  })

  it('says of each flag what it does', () => {
    for (const { help, flag } of options) expect(help.length, flag).toBeGreaterThan(5)
  })
})

describe('coop-ts train', () => {
  it("shows the paper's defaults", () => {
    const shown = Object.fromEntries(train.options.map(({ flag, defaultText }) => [flag, defaultText]))
    expect(shown).toMatchObject({
      '--shots': "all; 16 for the paper's data sets",
      '--context-length': '16',
      '--position': 'end',
      '--class-specific': undefined,
      '--lr': '0.002; 0.02 with the fast recipe',
      '--batch-size': '32; all with the fast recipe',
      '--seed': '1',
    })
  })

  it('has these settings of methods as flags, and no setting of a method by the name of another flag', () => {
    const names = new Set(METHODS.flatMap(settingNames))
    const settings = train.options.filter(({ key }) => names.has(key)).map(({ flag }) => flag)
    expect(settings).toEqual(
      '--context-length --position --class-specific --init --recipe --epochs --lr --batch-size --warmup --warmup-epochs --template'.split(
        ' ',
      ),
    )
  })
})

describe('readSettings', () => {
  const options = {
    shots: wholeOr('all', 1).default(16).register(flags, { flag: '--shots', argument: 'N', help: 'how many' }),
    rate: positive().default(1).register(flags, { flag: '--lr', argument: 'RATE', help: 'how fast' }),
    seeds: list(whole(0, 9), 'digits').optional().register(flags, { flag: '--seeds', argument: 'LIST', help: 'some' }),
    templates,
  }
  const read = (typed: Parameters<typeof readSettings>[2]) => readSettings('test', options, typed)

  it('fills in defaults, and leaves what is optional undefined', () => {
    expect(read({})).toEqual({ shots: 16, rate: 1, seeds: undefined, templates: undefined })
  })

  it('honours seed 0', () => expect(readSettings('test', { seed }, { seed: '0' })).toEqual({ seed: 0 }))

  it('reads lists and repeated flags', () => {
    expect(read({ seeds: '1, 0', templates: ['a {}.', 'the {}.'] })).toMatchObject({
      seeds: [1, 0],
      templates: ['a {}.', 'the {}.'],
    })
  })

  it('names every wrong value with flag, expected and received', () => {
    expect(refusal(() => read({ shots: 'abc', rate: '-1', seeds: '1,,2', templates: ['a {}', 'b'] }))).toBe(
      [
        '--shots expects a whole number from 1 to 1000000, or all, received "abc"',
        '--lr expects a number above 0, received "-1"',
        '--seeds expects a whole number from 0 to 9, received "1,,2"',
        '--template expects a prompt with {} where the class name goes, or imagenet7 or imagenet80, or a .json or .yaml file with descriptions of each class, received "b"',
      ].join('\n'),
    )
  })

  it('reads every whole number in range and nothing else as shots', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.integer({ min: -10, max: 2_000_000 }), fc.double(), fc.string()),
        (value) => {
          const text = String(value)
          const number = Number(text)
          const fits =
            text !== 'all' && text.trim() !== '' && Number.isInteger(number) && number >= 1 && number <= 1_000_000
          if (fits) expect(read({ shots: text }).shots).toBe(number)
          else expect(refusal(() => read({ shots: text }))).toContain('--shots expects')
        },
      ),
    )
  })
})
