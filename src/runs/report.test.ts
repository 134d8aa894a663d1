import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { exampleRecord } from '../testing/example-records.ts'
import type { MeasuredRecord } from '../trained/record.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-report-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const at = (...parts: readonly string[]) => join(root, ...parts)
const put = async (sweep: string, id: string, file: string, content: unknown) => {
  await mkdir(at(sweep, 'runs', id), { recursive: true })
  await writeFile(at(sweep, 'runs', id, file), typeof content === 'string' ? content : JSON.stringify(content))
}
const putRecord = (sweep: string, changes: Partial<MeasuredRecord> & { readonly id: string }) =>
  put(sweep, changes.id, 'results.json', exampleRecord(changes))
/** Three seeds and one method without learning. */
const putSweep = async (sweep: string) => {
  for (const seed of [1, 2, 3]) await putRecord(sweep, { id: `coop-${seed}`, seed, accuracy: 0.9 + seed / 100 })
  const zeroShot = { method: 'zero-shot', title: 'zero-shot', settings: {}, shots: 0, steps: 0, loss: null }
  await putRecord(sweep, { id: 'zero', ...zeroShot })
}

describe('coop-ts report', () => {
  it('writes the report into the sweep and prints the main table', async () => {
    await putSweep('plain')
    await writeFile(at('plain', 'plan.yaml'), 'datasets: [caltech101]\nmethods: [zero-shot]\nmodels: [bundled]\n')
    await put('plain', 'broken', 'error.json', { message: 'the loss is no number', remedy: 'lower the rate' })
    await mkdir(at('plain', 'runs', 'begun'))
    const ended = await coop('report', at('plain'), '--figures', '--quiet')
    expect(ended).toMatchObject({ status: 0, stderr: '' })
    expect(ended.stdout).toMatch(/^data set +method +0 +16\ncaltech101 +zero-shot +50\.0\n +CoOp, end +92\.0 ± 1\.0\n/)
    expect(ended.stdout).toMatch(/4 runs finished, 1 failed, 2 not finished/)
    expect((await readdir(at('plain'))).sort()).toEqual([
      'figures',
      'plan.yaml',
      'report.csv',
      'report.html',
      'report.md',
      'runs',
      'summary.csv',
    ])
    expect(await readdir(at('plain', 'figures'))).toEqual(['gains.svg'])
    const text = await readFile(at('plain', 'report.md'), 'utf8')
    expect(text).toContain('broken: the loss is no number; lower the rate')
    expect(text).toContain('(figures/gains.svg)')
    expect(text).toContain('datasets: [caltech101]')
    expect((await readFile(at('plain', 'report.csv'), 'utf8')).trim().split('\n')).toHaveLength(5)
  })

  it('gives the same bytes again', async () => {
    await putSweep('again')
    const read = async () => {
      await coop('report', at('again'), '--figures', '--tensorboard', at('again', 'events'))
      const files = [
        'report.md',
        'report.html',
        'report.csv',
        'summary.csv',
        'events/coop-1/events.out.tfevents.0.coop',
      ]
      return Promise.all(files.map((file) => readFile(at('again', file), 'base64')))
    }
    expect(await read()).toEqual(await read())
  })

  it('takes several sweeps, and says all as JSON', async () => {
    await putSweep('one')
    await putRecord('two', { id: 'coop-4', seed: 4, collapsed: true })
    const ended = await coop('report', at('one'), at('two'), '--out', at('both'), '--json', '--quiet')
    expect(onlyJson(ended)).toMatchObject({ runs: 5, failed: [], unfinished: [], collapsed: ['coop-4'] })
    expect(await readFile(at('both', 'summary.csv'), 'utf8')).toMatch(/,16,4,/)
  })

  it('writes metrics as events', async () => {
    await putSweep('metrics')
    const steps = [1, 2].map((step) =>
      JSON.stringify({ step, loss: 1 / step, learningRate: 0.002, gradientNorm: null }),
    )
    await put('metrics', 'coop-1', 'metrics.jsonl', `${steps.join('\n')}\n`)
    await coop('report', at('metrics'), '--tensorboard', at('events'))
    expect((await readdir(at('events'))).sort()).toEqual(['coop-1', 'coop-2', 'coop-3', 'zero'])
    const bytes = await readFile(at('events', 'coop-1', 'events.out.tfevents.0.coop'), 'latin1')
    const curves = ['train/loss', 'train/learning_rate', 'train/gradient_norm', 'test/accuracy']
    expect(curves.map((tag) => bytes.split(tag).length - 1)).toEqual([2, 2, 0, 1])
  })
})

const report = (...words: readonly string[]) => coop('report', ...words, '--json')

describe('bad input', () => {
  it('no sweep, a file, nothing at all, no folder', async () => {
    await mkdir(at('empty'), { recursive: true })
    await writeFile(at('file'), '')
    await writeFile(at('empty', 'results.json'), '{}')
    expectFailure(await report(at('empty')), 1, /empty is not a sweep folder: it is a single run/)
    expectFailure(await report(at('file')), 1, /file is a file, not a sweep folder/)
    expectFailure(await report(at('nowhere')), 1, /nowhere: no such folder/)
    expectFailure(await report(), 2, /missing required argument/)
  })

  it('nothing finished', async () => {
    await mkdir(at('begun', 'runs', 'x'), { recursive: true })
    expectFailure(await report(at('begun')), 1, /no run in .*begun has finished: 0 failed, 1 not finished/)
    await put('failed', 'x', 'error.json', { message: 'no such model' })
    expectFailure(await report(at('failed')), 1, /1 failed, 0 not finished; the first failure, x: no such model/)
  })

  it.each<[string, unknown, RegExp]>([
    ['cut short', '{"id": "da', /damaged.results\.json:\d+:\d+: not valid JSON/],
    ['without accuracy', { ...exampleRecord({ id: 'damaged' }), accuracy: undefined }, /accuracy: .*expected number/],
    ['with an accuracy in %', { ...exampleRecord({ id: 'damaged' }), accuracy: 91 }, /accuracy: .*(<=1|Too big)/],
    ['of another run', exampleRecord({ id: 'other' }), /is the result of another run, other/],
  ])('results %s are named, and left out where asked', async (title, content, message) => {
    await putSweep(title)
    await put(title, 'damaged', 'results.json', content)
    const refused = await report(at(title))
    expectFailure(refused, 1, message)
    expect(refused.stderr).toContain('--skip')
    const skipped = await report(at(title), '--skip')
    expect(skipped.stderr).toMatch(/warning: left out: .*damaged/)
    expect(onlyJson(skipped)).toMatchObject({ runs: 4, damaged: ['damaged'] })
  })

  it('two results of one run, in two sweeps', async () => {
    await putSweep('first')
    await putRecord('second', { id: 'coop-1', accuracy: 0.5 })
    const ended = await report(at('first'), at('second'), '--out', at('out'))
    expectFailure(ended, 2, /two records of the same run differ:\n.*first.*coop-1.*\n.*second.*coop-1/)
  })

  it('a damaged line of the metrics', async () => {
    await putSweep('lines')
    await put('lines', 'coop-1', 'metrics.jsonl', '{"step":1,"loss":1}\n{"step":')
    const ended = await report(at('lines'), '--tensorboard', at('lines-events'))
    expectFailure(ended, 1, /metrics\.jsonl:2:\d+: not valid JSON/)
  })
})
