import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLAIM } from '../../node/claim.ts'
import { coop, expectFailure, onlyJson } from '../../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../../testing/tiny-world.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const words = (plan: string, out: string) => [
  'sweep',
  at(plan),
  '--out',
  at(out),
  '--cache',
  at('cache'),
  '--threads',
  '2',
]
const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`)

async function recordsOf(out: string): Promise<Record<string, unknown>[]> {
  const runs = (await readdir(join(at(out), 'runs'))).sort()
  return Promise.all(
    runs.map(async (id) => JSON.parse(await readFile(join(at(out), 'runs', id, 'results.json'), 'utf8'))),
  )
}

/** What must be the same however often a sweep was stopped. */
const numbersOf = (records: readonly Record<string, unknown>[]) =>
  records.map(({ seconds: _, environment: __, ...numbers }) => numbers)

const METHODS = ['methods:', '  - zero-shot', '  - { method: coop, M: 2, epochs: 30, position: [end, front] }']
const PLAN = ['datasets: photos', 'models: model', ...METHODS, 'shots: [1, 2]', 'seeds: [1, 2]', 'views: 2']

describe('a sweep', () => {
  it('runs all of its plan once, and keeps settings, metrics and what was learned of each run', async () => {
    await write('plan.yaml', PLAN)
    const first = onlyJson(await coop(...words('plan.yaml', 'out'), '--json'))
    expect(first).toMatchObject({ runs: 9, before: 0, finished: 9, failed: [] })
    const records = await recordsOf('out')
    expect(records).toHaveLength(9)
    for (const record of records) {
      expect(record).toMatchObject({ dataset: 'photos', classes: 3, model: { name: 'model' }, transforms: '2021-10' })
      expect(record.accuracy).toSatisfy((x) => typeof x === 'number' && x >= 0 && x <= 1)
      const files = await readdir(join(at('out'), 'runs', String(record.id)))
      expect(files.sort()).toEqual(['learned.safetensors', 'metrics.jsonl', 'results.json', 'settings.json'])
    }
    const run = records.find(({ method, shots }) => method === 'coop' && shots === 2)
    expect(run).toMatchObject({ views: 2, steps: 30, settings: { M: 2, epochs: 30, learningRate: 0.002 } })
    const metrics = await readFile(join(at('out'), 'runs', String(run?.id), 'metrics.jsonl'), 'utf8')
    expect(
      metrics
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).step),
    ).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    expect(await readFile(join(at('out'), 'plan.yaml'), 'utf8')).toBe(`${PLAN.join('\n')}\n`)

    // as a process leaves it that is killed between its result and its end
    const claim = join(at('out'), 'runs', String(run?.id), CLAIM)
    const pid = Number(spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout)
    await writeFile(claim, JSON.stringify({ host: hostname(), pid, token: 'a', since: '2026-01-02T03:04:05Z' }))
    const again = onlyJson(await coop(...words('plan.yaml', 'out'), '--json'))
    expect(again).toMatchObject({ runs: 9, before: 9, finished: 0 })
    expect(await recordsOf('out')).toEqual(records)
    expect(await readdir(join(claim, '..'))).not.toContain(CLAIM)
  })

  it('takes prompts from files beside the plan, whose contents decide a run', async () => {
    const cats = { red: ['A red thing.', 'Warm.'], green: ['Grass.'], blue: ['The sea.'] }
    await mkdir(at('prompts'), { recursive: true })
    await writeFile(at('prompts/all.json'), JSON.stringify(cats))
    await writeFile(at('prompts/list.yaml'), '- a {}.\n- the {}.\n')
    const head = ['datasets: ../photos', 'models: ../model', 'shots: 1', 'seeds: 1', 'views: 0', 'methods:']
    const files = [
      '  - { method: zero-shot, templates: &all all.json }',
      '  - { method: gda, templates: [list.yaml, *all] }',
    ]
    const own = '  - { method: ss-text, perDataset: { ../photos: { templates: all.json } } }'
    await write('prompts/plan.yaml', [...head, ...files, own])
    const first = onlyJson(await coop(...words('prompts/plan.yaml', 'prompted'), '--json'))
    expect(first).toMatchObject({ runs: 4, finished: 4, failed: [] })
    const records = await recordsOf('prompted')
    const told = records.map(({ method, settings }) => [method, Object(settings).templates])
    expect(told.sort()).toEqual([
      ['gda', cats],
      ['gda', ['a {}.', 'the {}.']],
      ['ss-text', cats],
      ['zero-shot', cats],
    ])

    // the runs of a plan that has them written out are the same ones
    await write('prompts/written.yaml', [...head, `  - { method: zero-shot, templates: ${JSON.stringify(cats)} }`])
    const out = [...words('prompts/written.yaml', 'prompted'), '--json']
    expect(onlyJson(await coop(...out))).toMatchObject({ runs: 1, before: 1, finished: 0 })
    await coop(...words('prompts/plan.yaml', 'prompted'))
    await writeFile(at('prompts/all.json'), JSON.stringify({ ...cats, red: ['Blood.'] }))
    // what was planned is what the file said then
    const gone = String(records.find(({ method }) => method === 'ss-text')?.id)
    await rm(join(at('prompted'), 'runs', gone), { recursive: true })
    expect(onlyJson(await coop('report', at('prompted'), '--json'))).toMatchObject({ unfinished: [gone] })
    const changed = onlyJson(await coop(...words('prompts/plan.yaml', 'prompted'), '--dry-run', '--json'))
    expect(changed).toMatchObject({ runs: 4, before: 1 })
    await writeFile(at('prompts/all.json'), JSON.stringify({ red: ['Blood.'], gren: ['Grass.'] }))
    const refused = await coop(...words('prompts/plan.yaml', 'prompted'), '--json')
    expectFailure(refused, 2, /"gren" is none of the classes \(did you mean "green"\?\)\n.*none of the class "blue"/)
    await rm(at('prompts/all.json'))
    expectFailure(await coop(...words('prompts/plan.yaml', 'prompted'), '--json'), 1, /prompts\/all\.json/)
  })

  it('goes on without a run that fails, says so, and tries it again the next time', async () => {
    const wild = '  - { method: coop, M: 2, epochs: 30, learningRate: 1e30 }'
    await write('wild.yaml', ['datasets: photos', 'models: model', ...METHODS, wild, 'shots: 1', 'seeds: 1'])
    const ended = await coop(...words('wild.yaml', 'wild'), '--json')
    expect(ended.status).toBe(1)
    const result = Object.assign({ failed: [{ id: '' }] }, onlyJson(ended))
    expect(result).toMatchObject({
      runs: 4,
      finished: 3,
      failed: [{ error: expect.stringMatching(/training failed/) }],
    })
    expect(ended.stderr).toMatch(/warning: photos-coop-1-shot-seed-1-\w+ failed: training failed/)
    const folder = join(at('wild'), 'runs', result.failed[0]?.id ?? '')
    expect(JSON.parse(await readFile(join(folder, 'error.json'), 'utf8'))).toMatchObject({
      message: expect.stringMatching(/training failed/),
      remedy: expect.stringMatching(/smaller learning rate/),
    })
    expect(onlyJson(await coop(...words('wild.yaml', 'wild'), '--json'))).toMatchObject({ before: 3, failed: [{}] })
  })

  it('does not keep results of pictures that have changed: says what did, and repeats these runs when asked to', async () => {
    await cp(at('photos'), at('animals'), { recursive: true })
    const plan = ['datasets: [animals, photos]', 'models: model', 'methods: [class-mean]', 'shots: 2', 'seeds: 1']
    await write('animals.yaml', plan)
    await coop(...words('animals.yaml', 'animals-out'))
    const before = await recordsOf('animals-out')
    await rename(at('animals/red'), at('animals/other'))
    await rename(at('animals/blue'), at('animals/red'))
    await rename(at('animals/other'), at('animals/blue'))
    const swapped = await coop(...words('animals.yaml', 'animals-out'), '--json')
    expectFailure(
      swapped,
      2,
      /has a run of pictures that have changed since:\n {2}animals, train: other pictures \(6\)/,
    )
    await cp(at('animals/green'), at('animals/violet'), { recursive: true })
    const added = await coop(...words('animals.yaml', 'animals-out'), '--json')
    expectFailure(added, 2, /animals, the class "violet" is new \(1 run\)\n {2}animals, train: 6 pictures then, 8 now/)
    expect(await recordsOf('animals-out')).toEqual(before)

    const again = onlyJson(await coop(...words('animals.yaml', 'animals-out'), '--force', '--json'))
    expect(again).toMatchObject({ runs: 2, before: 1, finished: 1, failed: [] })
    await coop(...words('animals.yaml', 'animals-fresh'))
    expect(numbersOf(await recordsOf('animals-out'))).toEqual(numbersOf(await recordsOf('animals-fresh')))
    const last = await coop(...words('animals.yaml', 'animals-out'), '--json')
    expect(onlyJson(last)).toMatchObject({ runs: 2, before: 2, finished: 0 })
    expect(last.stderr).toBe('')
  })

  it('notices changed pictures elsewhere, and says that a folder has runs of another plan', async () => {
    await cp(at('photos'), at('shifted'), { recursive: true })
    const plan = ['datasets: photos', 'models: model', 'methods: [class-mean]', 'shots: 2', 'seeds: 1']
    await write('here.yaml', [...plan, 'elsewhere: shifted'])
    await coop(...words('here.yaml', 'here-out'))
    await write('there.yaml', plan)
    const mixed = await coop(...words('there.yaml', 'here-out'))
    expect(mixed.stderr).toMatch(/warning: .*here-out also holds a run of another plan/)
    await rm(at('shifted/red/1.png'))
    const lost = await coop(...words('here.yaml', 'here-out'), '--json')
    expectFailure(lost, 2, /photos, shifted: 9 pictures then, 8 now|photos, shifted: other pictures/)
  })

  it('killed at any moment, again and again, ends with the numbers of one left alone', async () => {
    const plan = PLAN.map((line) => line.replace('epochs: 30', 'epochs: 150'))
    await write('long.yaml', plan)
    await coop(...words('long.yaml', 'alone'))
    for (let kill = 0; kill < 3; kill++) {
      const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...words('long.yaml', 'killed')])
      const closed = new Promise((resolve) => child.on('close', resolve))
      await setTimeout(1000 + 1500 * Math.random())
      child.kill('SIGKILL')
      await closed
    }
    const result = onlyJson(await coop(...words('long.yaml', 'killed'), '--json'))
    expect(result).toMatchObject({ runs: 9, failed: [] })
    expect(numbersOf(await recordsOf('killed'))).toEqual(numbersOf(await recordsOf('alone')))
  })

  it('with split: base learns half of the classes and measures on the others too', async () => {
    await write('base.yaml', [...PLAN, 'split: base'])
    await coop(...words('base.yaml', 'base'))
    for (const record of await recordsOf('base')) {
      expect(record).toMatchObject({ split: 'base', classes: 2, elsewhere: { new: 1 } }) // one class is left
    }
  })

  it('measures elsewhere: on the classes of another data set', async () => {
    await write('shift.yaml', [...PLAN, 'elsewhere: photos'])
    await coop(...words('shift.yaml', 'shift'))
    for (const { accuracy, elsewhere } of await recordsOf('shift')) expect(elsewhere).toEqual({ photos: accuracy })
  })

  it('with --dry-run checks all and runs nothing', async () => {
    const ended = await coop(...words('plan.yaml', 'dry'), '--dry-run')
    expect(ended).toMatchObject({ status: 0, stdout: expect.stringMatching(/is valid: 9 runs, 0 of them finished/) })
    await expect(readdir(at('dry'))).rejects.toThrow()
  })

  it('with --dry-run shows the whole plan, whatever is missing of its data sets and models', async () => {
    const plan = PLAN.map((line) => line.replace('models: model', 'models: [model, modle]'))
    await write('lacking.yaml', [...plan.slice(1), 'datasets: [photos, fotos, caltech101]', 'elsewhere: dtd'])
    const ended = await coop(...words('lacking.yaml', 'lacking'), '--root', at('none'), '--dry-run', '--json')
    expect(ended.status).toBe(0)
    expect(onlyJson(ended)).toMatchObject({
      runs: 54,
      plan: {
        datasets: [
          { dataset: 'photos', runs: 18 },
          { dataset: 'fotos', runs: 18 },
          { dataset: 'caltech101', runs: 18 },
        ],
        elsewhere: ['dtd'],
        models: ['model', 'modle'],
        methods: expect.arrayContaining([
          expect.objectContaining({ method: 'zero-shot', shots: [0], runs: 1 }),
          expect.objectContaining({ method: 'coop', shots: [1, 2], seeds: [1, 2], runs: 4 }),
        ]),
      },
      missing: [
        { what: 'dtd', error: expect.stringContaining(at('none/dtd')) },
        { what: 'fotos' },
        { what: 'caltech101', error: expect.stringContaining(at('none/caltech-101')) },
      ],
    })
    const text = await coop(...words('lacking.yaml', 'lacking'), '--root', at('none'), '--dry-run')
    expect(text.stdout).toMatch(/caltech101 +18 +missing/)
    expect(text.stdout).toMatch(/where to get the rest/)
  })

  it('with --dry-run says that a model is missing beside what is there', async () => {
    const plan = PLAN.map((line) => line.replace('models: model', 'models: [model, modle]'))
    await write('modelless.yaml', plan)
    const result = onlyJson(await coop(...words('modelless.yaml', 'modelless'), '--dry-run', '--json'))
    expect(result).toMatchObject({ runs: 18, missing: [{ what: 'modle' }] })
  })
})

describe('what is refused before the first run', () => {
  it.each([
    ['a plan that is not there', undefined, 1, /nowhere.yaml: no such file/],
    ['a typo', PLAN.map((line) => line.replace('position', 'postion')), 2, /bad.yaml:5: unknown key "postion"/],
    [
      'a model that is not there',
      PLAN.map((line) => line.replace('models: model', 'models: [model, modle]')),
      1,
      /modle/,
    ],
    ['a data set that is not there', ['datasets: fotos', ...PLAN.slice(1)], 1, /fotos/],
    [
      'all data sets that are not there',
      ['datasets: [fotos, photos, fotografías]', 'elsewhere: fotoj', ...PLAN.slice(1)],
      1,
      /3 data sets of the plan cannot be used:.*fotos.*fotoj.*fotografías/s,
    ],
    ['another that is not there', [...PLAN, 'elsewhere: fotos'], 1, /fotos/],
    ['a context too long for the model', PLAN.map((line) => line.replace('M: 2', 'M: 500')), 1, /too long/],
  ])('%s', async (_, plan, status, message) => {
    if (plan) await write('bad.yaml', plan)
    expectFailure(await coop(...words(plan ? 'bad.yaml' : 'nowhere.yaml', 'bad'), '--json'), status, message)
    await expect(readdir(join(at('bad'), 'runs'))).rejects.toThrow()
  })
})
