import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FileError, UsageError } from '../../base/errors.ts'
import { KNOWN_MODELS, MODEL_WORDS } from '../../clip/known-models.ts'
import { findOfficialDataset } from '../../datasets/official/table.ts'
import { jobsOf, timeLeft } from './jobs.ts'
import { parsePlan, readPlan } from './plan.ts'

const PLAN = `
datasets: caltech101
root: ../data
methods:
  - zero-shot
  - method: coop
    position: [end, middle]
    classSpecific: [false, true]
  - { method: coop, M: 4, shots: 16, seeds: [1, 2] }
shots: [1, 16]
seeds: [1, 2, 3]
`

const explode = (n: number) => {
  const list = `[${Array.from({ length: n }, (_, i) => i + 1)}]`
  const lists = ['M', 'epochs', 'batchSize', 'warmupEpochs', 'seeds'].map((key) => `    ${key}: ${list}`)
  return ['datasets: x', 'methods:', '  - method: coop', ...lists, '    shots: [1, 2, 4, 8, 16]'].join('\n')
}

describe('a plan', () => {
  const plan = parsePlan(PLAN, '/plans/p.yaml')

  it('has defaults for what it leaves out, and places relative to itself', () => {
    expect(plan).toMatchObject({
      models: ['bundled'],
      transforms: '2021-10',
      split: 'all',
      elsewhere: [],
      root: '/data',
    })
  })

  it('multiplies lists of settings, and leaves a setting that is a list whole', () => {
    expect(plan.methods[1]?.grid.map(({ position, classSpecific }) => [position, classSpecific])).toEqual([
      ['end', false],
      ['end', true],
      ['middle', false],
      ['middle', true],
    ])
    const templates = ['a {}.', 'the {}.']
    const ensemble = parsePlan(
      `datasets: x\nmethods:\n  - method: zero-shot\n    templates: ${JSON.stringify(templates)}\n`,
      'p.yaml',
    )
    expect(ensemble.methods[0]?.grid).toEqual([{ templates }])
  })

  it.each([
    [
      'an unknown key',
      PLAN.replace('shots: [1, 16]', 'shot: [1, 16]'),
      /p.yaml:10: unknown key "shot" \(did you mean "shots"/,
    ],
    [
      'an unknown setting',
      PLAN.replace('position', 'postion'),
      /p.yaml:7: unknown key "postion" \(did you mean "position"/,
    ],
    [
      'an unknown method',
      PLAN.replace('- zero-shot', '- zeroshot'),
      /p.yaml:5: .*no method "zeroshot" \(did you mean "zero-shot"/,
    ],
    ['a wrong value of a setting', PLAN.replace('M: 4', 'M: four'), /p.yaml:9: .*M: /],
    ['a wrong value in a list', PLAN.replace('[end, middle]', '[end, centre]'), /p.yaml:7: .*position: /],
    ['a wrong number of shots', PLAN.replace('[1, 16]', '[0]'), /p.yaml:10: shots/],
    ['no methods', 'datasets: x\n', /methods: expected a list of methods/],
    ['no data sets', 'methods: [zero-shot]\n', /datasets/],
    ['wrong transforms', `${PLAN}transforms: 2021\n`, /p.yaml:12: transforms/],
    ['bad YAML', 'datasets: [a\nmethods: b\n', /p.yaml:\d: /],
    ['a key twice', `${PLAN}shots: 1\n`, /p.yaml:12: .*unique/],
    ['nothing', '', /datasets/],
    ['an alias of nothing', 'datasets: *nowhere\nmethods: [coop]\n', /p.yaml:1: the alias \*nowhere has no anchor/],
    [
      'aliases that double',
      'datasets: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nmethods: [coop]\n',
      /p.yaml:3: the alias \*b stands for something that has aliases itself/,
    ],
    ['more runs than can be', explode(59), /p.yaml:3: the plan has 3574621495 runs .*; the most are 100000/],
    ['an absurd setting', PLAN.replace('M: 4', 'epochs: 1e300'), /p.yaml:9: .*epochs: expected .* to 100000, received/],
    ['an absurd number of seeds', PLAN.replace('seeds: [1, 2, 3]', 'seeds: 1e12'), /p.yaml:11: seeds.*: .* received/],
    [
      'a data set that objects have',
      `${PLAN}elsewhere: [a, __proto__]\n`,
      /p.yaml:12: elsewhere.1: .*write \.\/__proto__/,
    ],
    ['a key that objects have', `${PLAN}__proto__: {a: 1}\n`, /p.yaml:12: unknown key "__proto__"/],
    ['a setting that objects have', PLAN.replace('M: 4', '__proto__: 4'), /p.yaml:9: unknown key "__proto__"/],
    ['a list', '- a\n', /p.yaml/],
  ])('with %s is refused with its line', (_, text, message) => {
    expect(() => parsePlan(text, 'p.yaml')).toThrow(UsageError)
    expect(() => parsePlan(text, 'p.yaml')).toThrow(message)
  })
})

describe('the plans in docs/plans', () => {
  const folder = fileURLToPath(new URL('../../../docs/plans', import.meta.url))
  it.each(readdirSync(folder))('%s can be read, and its data sets and models are known', async (file) => {
    const plan = await readPlan(join(folder, file))
    expect(jobsOf(plan).length).toBeGreaterThan(0)
    for (const name of [...plan.datasets, ...plan.elsewhere]) expect(findOfficialDataset(name), name).toBeDefined()
    const known = ['bundled', ...KNOWN_MODELS.map(({ id }) => id)]
    for (const model of plan.models) expect(known).toContain(model)
  })

  it('say the line of a fault also where they name files of prompts', async () => {
    const there = await mkdtemp(join(tmpdir(), 'coop-plan-'))
    const file = join(there, 'p.yaml')
    await writeFile(join(there, 'a.yml'), 'cat:\n  - A small animal.\n  - It purrs.\ndog: It barks.\n')
    const plan = 'datasets: x\nmethods:\n  - { method: gda, templates: a.yml } # why\n'
    await writeFile(file, plan)
    const { methods, text } = await readPlan(file)
    const cats = { cat: ['A small animal.', 'It purrs.'], dog: ['It barks.'] }
    expect(methods[0]?.grid[0]?.templates).toEqual(cats)
    expect(text).toContain('# why')
    expect(jobsOf(parsePlan(text, 'p.yaml'))).toEqual(jobsOf(await readPlan(file)))
    await writeFile(file, `${plan}shot: 1\n`)
    await expect(readPlan(file)).rejects.toThrow(/p\.yaml:4: unknown key "shot"/)
    await writeFile(file, `${plan}  - { method: best, template: a.yml }\n`)
    await expect(readPlan(file)).rejects.toThrow(/p\.yaml:4: unknown key "template"/)
    await rm(there, { recursive: true })
  })

  it('are known by their names; a path is a file', async () => {
    expect(await readPlan('paper')).toEqual(await readPlan(join(folder, 'paper.yaml')))
    await expect(readPlan('./paper')).rejects.toThrow(FileError)
    await expect(readPlan('papers')).rejects.toThrow(FileError)
  })

  it('hold the whole of the main experiment', async () => {
    // 11 data sets: zero-shot once, a probe and four kinds of CoOp at 5 numbers of shots from 3 seeds
    expect(jobsOf(await readPlan(join(folder, 'paper.yaml')))).toHaveLength(11 * (1 + 5 * 5 * 3))
  })
})

it('fast, good and best of a plan are the models that they stand for, once each', () => {
  const { fast } = MODEL_WORDS
  const plan = parsePlan(`${PLAN}models: [bundled, fast, ${fast}, ./best]`, 'p.yaml')
  expect(new Set(jobsOf(plan).map(({ model }) => model))).toEqual(new Set(['bundled', fast, './best']))
  expect(jobsOf(plan)).toHaveLength(3 * jobsOf(parsePlan(PLAN, 'p.yaml')).length)
})

describe('the jobs of a plan', () => {
  const jobs = jobsOf(parsePlan(PLAN, 'p.yaml'))

  it('are all of the grid; what learns from no images runs once', () => {
    expect(jobs.filter(({ method }) => method === 'zero-shot')).toMatchObject([{ shots: 0, seed: 1, views: 0 }])
    expect(jobs.filter(({ method }) => method === 'coop')).toHaveLength(4 * 2 * 3 + 2)
    expect(jobs).toHaveLength(27)
  })

  it('have ids of their own that stay the same', () => {
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length)
    expect(jobsOf(parsePlan(`# a remark\n${PLAN}`, 'p.yaml'))).toEqual(jobs)
    for (const { id } of jobs) expect(id).toMatch(/^caltech101-[a-z-]+-\d+-shot-seed-\d-[0-9a-f]{10}$/)
  })

  it('are judged by folds where that is cheap, and of methods that take long where the plan asks for it', () => {
    const foldsOf = (plan: string) =>
      new Map(jobsOf(parsePlan(plan, 'p.yaml')).map(({ method, folds }) => [method, folds]))
    expect(foldsOf(PLAN)).toMatchObject(
      new Map([
        ['zero-shot', undefined],
        ['coop', undefined],
      ]),
    )
    const plan = 'datasets: x\nmethods: [zero-shot, coop, lp++]\nshots: 2\nseeds: 1\n'
    expect([...foldsOf(plan)]).toEqual([
      ['zero-shot', undefined],
      ['coop', undefined],
      ['lp++', 5],
    ])
    expect([...foldsOf(`${plan}calibrate: true`)]).toEqual([
      ['zero-shot', undefined],
      ['coop', 3],
      ['lp++', 5],
    ])
    const idsOf = (text: string) => jobsOf(parsePlan(text, 'p.yaml')).map(({ id }) => id)
    const [before, after] = [idsOf(plan), idsOf(`${plan}calibrate: true`)]
    expect(before.map((id, i) => id === after[i])).toEqual([true, false, true])
    expect(() => parsePlan(`${plan}calibrate: 3`, 'p.yaml')).toThrow(/p.yaml:5: calibrate: expected true or false/)
  })

  it('keep their ids in a larger plan, so that it goes on from the smaller', () => {
    const larger = jobsOf(parsePlan(PLAN.replace('[1, 16]', '[1, 2, 16]'), 'p.yaml')).map(({ id }) => id)
    for (const { id } of jobs) expect(larger).toContain(id)
  })

  it('have the settings of their data set, and remember those of the plan', () => {
    const methods =
      'methods:\n  - { method: tip-adapter, alpha: [1, 2], perDataset: { dtd: { beta: 3, search: false } } }'
    const jobs = jobsOf(parsePlan(`datasets: [dtd, eurosat]\nshots: 1\nseeds: 1\n${methods}`, '/plans/p.yaml'))
    const seen = jobs.map(({ dataset, settings, planned }) => [
      ...[dataset, settings.alpha, settings.beta, settings.search, planned?.beta],
    ])
    expect(seen).toEqual([
      ['dtd', 1, 3, false, 1],
      ['dtd', 2, 3, false, 1],
      ['eurosat', 1, 1, true, undefined],
      ['eurosat', 2, 1, true, undefined],
    ])
  })

  it.each([
    ['dttd: { alpha: 2 }', /p\.yaml:2: "dttd" is none of the plan's data sets \(did you mean "dtd"\?\)/],
    ['dtd: { betaa: 2 }', /p\.yaml:2: unknown key "betaa" \(did you mean "beta"\?\)/],
    ['dtd: { alpha: two }', /p\.yaml:2: methods\.0\.perDataset\.dtd\.alpha: /],
    ['dtd: 2', /p\.yaml:2: methods\.0\.perDataset\.dtd: expected settings by data set/],
  ])('are refused for settings of %s', (own, message) => {
    const text = `datasets: dtd\nmethods: [{ method: tip-adapter, perDataset: { ${own} } }]\n`
    expect(() => parsePlan(text, 'p.yaml')).toThrow(message)
  })

  it('that stand twice run once', () => {
    expect(jobsOf(parsePlan('datasets: x\nmethods: [zero-shot, zero-shot]\n', 'p.yaml'))).toHaveLength(1)
  })
})

describe('time left', () => {
  const [job] = jobsOf(parsePlan('datasets: x\nmethods: [coop]\nshots: 16\nseeds: 1\n', 'p.yaml'))
  if (job === undefined) throw new Error('one job')

  it('is unknown before the first run has finished', () => expect(timeLeft([job], [], 1)).toBeUndefined())

  it('grows with shots and the epochs that they are given', () => {
    const finished = [{ title: job.title, shots: 1, seconds: 1 }]
    expect(timeLeft([job], finished, 1)).toBeCloseTo((16 * 200) / 50)
    expect(timeLeft([job, job], finished, 2)).toBeCloseTo((16 * 200) / 50)
  })
})
