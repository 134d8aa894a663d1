import { describe, expect, it } from 'vitest'
import { DATASETS, exampleRecord, exampleRecords, PLAYERS } from '../testing/example-records.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { figuresOf } from './document.ts'
import { groupsOf } from './groups.ts'
import { htmlDocument } from './html.ts'
import { latexDocument } from './latex.ts'
import { markdownDocument } from './markdown.ts'
import { runsCsv, summaryCsv } from './record-csv.ts'
import { sweepReport } from './report.ts'

const RN50 = { name: 'timm/resnet50_clip.openai', fingerprint: '0123456789abcdef', architecture: 'RN50' }
const players = (...names: readonly string[]) => names.flatMap((name) => PLAYERS[name] ?? [])
const datasets = (...names: readonly string[]) => DATASETS.filter(({ name }) => names.includes(name))
const ALL = { shots: [1, 2, 4, 8, 16], seeds: [1, 2, 3] }

const documentOf = (records: readonly MeasuredRecord[], published = false) =>
  sweepReport(records, [{ name: 'plan', records, failed: [], unfinished: [], plan: undefined }], { published })
const markdown = (records: readonly MeasuredRecord[], published = false) =>
  markdownDocument(documentOf(records, published), undefined)
/** The lines of the section under a heading. */
const section = (text: string, title: string) => (text.split(`# ${title}\n`)[1] ?? '').split(/\n#+ /)[0] ?? ''
/** Cells of the first table line that begins so; a first cell that was said above is empty. */
const line = (text: string, ...start: readonly string[]) =>
  text
    .split('\n')
    .map((each) =>
      each
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .find((cells) => start.every((cell, i) => cells[i] === cell))

const seeds = (accuracies: readonly number[], changes: Partial<MeasuredRecord> = {}): MeasuredRecord[] =>
  accuracies.map((accuracy, i) =>
    exampleRecord({ ...changes, id: `${changes.id ?? 'run'}-${i}`, seed: i + 1, accuracy }),
  )

it('the tables for LaTeX have every sign written out', () => {
  const records = seeds([0.9, 0.91, 0.92], { dataset: 'my_data & 100 %', title: 'CoOp {x} \\ #1 ~ ^' })
  const tex = latexDocument(documentOf(records))
  expect(tex).toContain(
    'my\\_data \\& 100 \\% & CoOp \\{x\\} \\textbackslash{} \\#1 \\textasciitilde{} \\textasciicircum{} & 91.0 $\\pm$ 1.0 \\\\',
  )
  expect(tex.split('\\begin{tabular}').length).toBe(tex.split('\\end{tabular}').length)
  for (const [, columns = '', body = ''] of tex.matchAll(
    /\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n(.*?)\\bottomrule/gs,
  )) {
    const lines = body.split('\n').filter((each) => each.endsWith('\\\\'))
    expect(lines.length).toBeGreaterThan(1)
    for (const each of lines) expect(each.split(/(?<!\\)&/)).toHaveLength(columns.length)
  }
})

describe('the main table', () => {
  it('has mean and sample deviation by shots, and the interval among all means', () => {
    const text = markdown(seeds([0.9181, 0.9201, 0.9217]))
    expect(line(section(text, 'Accuracy by shots'), 'caltech101')).toEqual(['caltech101', 'CoOp, end', '92.0 ± 0.2'])
    expect(line(section(text, 'All means'), 'caltech101')).toEqual([
      'caltech101',
      'CoOp, end',
      '16',
      '3',
      '92.00',
      '0.18',
      '91.55 to 92.44',
      // numpy: std(ddof=0), 1.96 std / sqrt(3)
      '0.15',
      '± 0.17',
      '',
    ])
  })

  it('gives no interval of two seeds, and none that leaves 0 to 100', () => {
    const means = (accuracies: readonly number[]) =>
      line(section(markdown(seeds(accuracies)), 'All means'), 'caltech101')?.slice(3, 7)
    expect(means([0.4, 0.5])).toEqual(['2', '45.00', '7.07', 'too few seeds'])
    expect(means([0.5])).toEqual(['1', '50.00', '', ''])
    expect(means([0.99, 0.9, 1])).toEqual(['3', '96.33', '5.51', '82.65 to 100.00'])
  })

  it('says how settings were chosen, of old records by their method', () => {
    const tip = { method: 'tip-adapter', title: 'Tip-Adapter', settings: { search: true } }
    const records = [
      exampleRecord(),
      exampleRecord({ ...tip, id: 'few' }),
      exampleRecord({ method: 'mine', title: 'mine', id: 'mine', chosen: 'cross-validated on the shots' }),
    ]
    const table = section(markdown(records), 'Settings')
    const chosen = (label: string) => line(table, label)?.[2]
    expect(line(table, 'method')?.[2]).toBe('how settings were chosen')
    expect(['CoOp, end', 'Tip-Adapter', 'mine'].map(chosen)).toEqual([
      'fixed',
      'few-shot val',
      'cross-validated on the shots',
    ])
    expect(summaryCsv(groupsOf(records))).toMatch(/^model,.*,chosen,.*,official_sd,official_interval_half,/)
  })

  it('compares methods seed by seed with the best one', () => {
    const other = { method: 'mine', title: 'mine', id: 'mine', settings: {} }
    const zero = { method: 'zero-shot', title: 'zero-shot', id: 'zero', settings: {}, shots: 0 as const, accuracy: 0.6 }
    const records = [...seeds([0.7, 0.8, 0.9]), ...seeds([0.69, 0.78, 0.91], other), exampleRecord(zero)]
    const table = section(markdown(records), 'Paired comparison over seeds')
    // scipy.stats: the mean of -1, -2, 1 and its t interval
    expect(line(table, '', 'mine')?.slice(2)).toEqual([
      'CoOp, end',
      '16',
      '3',
      '-0.67',
      '1.53',
      '-4.46 to 3.13',
      '1 of 3',
    ])
    expect(line(table, 'caltech101', 'zero-shot')?.slice(2, 8)).toEqual([
      ...['CoOp, end', '16', '3', '-20.00', '10.00', '-44.84 to 4.84'],
    ])
    expect(markdown(seeds([0.7, 0.8]))).not.toContain('Paired comparison')
  })

  it('puts runs whose plan has other settings for their data set into the line of their method', () => {
    const [settings, own] = [{ alpha: 1 }, { alpha: 2 }]
    const mine = { method: 'mine', title: 'mine' }
    const records = [
      exampleRecord({ ...mine, id: 'a', dataset: 'dtd', settings, accuracy: 0.4 }),
      exampleRecord({ ...mine, id: 'b', dataset: 'eurosat', settings: own, planned: settings, accuracy: 0.8 }),
    ]
    const text = markdown(records)
    expect(line(section(text, 'Accuracy by shots'), 'Average over 2 data sets')).toEqual([
      ...['Average over 2 data sets', 'mine', '60.0'],
    ])
    expect(line(section(text, 'Settings'), 'mine')?.[1]).toBe('alpha=1; on eurosat: alpha=2')
  })

  it('averages over data sets where each has runs, and says where not', () => {
    const records = exampleRecords({
      players: players('zeroShot', 'end'),
      datasets: datasets('dtd', 'eurosat'),
      ...ALL,
    })
    const text = markdown(records.filter(({ dataset, shots }) => dataset !== 'dtd' || shots !== 4))
    const table = section(text, 'Accuracy by shots')
    expect(line(table, 'Average over 2 data sets')?.[1]).toBe('zero-shot')
    expect(table).toMatch(/CoOp, end: no average at 4 shots: no runs on dtd\./)
    const average =
      table
        .split('\n')
        .findLast((each) => each.includes('CoOp, end |'))
        ?.split('|') ?? []
    expect(average.map((cell) => cell.trim() === '')).toEqual([
      true,
      true,
      false,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
    ])
  })

  it('takes the deviation of an average from the averages of each seed', () => {
    const records = [...seeds([0.1, 0.3], { dataset: 'a', id: 'a' }), ...seeds([0.4, 0.2], { dataset: 'b', id: 'b' })]
    expect(line(markdown(records), 'Average over 2 data sets')?.[2]).toBe('25.0 ± 0.0')
    const [group] = groupsOf(records.filter(({ dataset, seed }) => dataset === 'a' || seed === 1))
    expect(group && line(markdown(records.slice(0, 3)), 'Average over 2 data sets')?.[2]).toBe('30.0 (n=1)')
  })

  it('shows zero-shot runs of several seeds once', () => {
    const text = markdown(seeds([0.5, 0.5, 0.5], { method: 'zero-shot', title: 'zero-shot', settings: {}, shots: 0 }))
    expect(line(text, 'caltech101', 'zero-shot')?.[2]).toBe('50.0')
  })

  it('marks runs that ended at chance and lists them', () => {
    const records = seeds([0.9, 0.9, 0.01]).map((run, i) => ({ ...run, collapsed: i === 2 }))
    const text = markdown(records)
    expect(line(text, 'caltech101')?.[2]).toBe('60.3 ± 51.4 †')
    expect(line(section(text, 'Runs that collapsed'), 'run-2')?.slice(4)).toEqual(['3', '1.0', '2.500 to 0.500'])
  })
})

describe('the answer', () => {
  it('names what did best at most shots, beside hand-written prompts', () => {
    const byHand = exampleRecord({
      id: 'hand',
      method: 'zero-shot',
      title: 'zero-shot',
      settings: {},
      shots: 0,
      accuracy: 0.6,
    })
    expect(documentOf([...seeds([0.9, 0.92]), byHand]).answer).toBe(
      'On caltech101, CoOp, end does best at 16 shots: 91.0 ± 1.4 %, 31.0 points above hand-written prompts (60.0 %).',
    )
    const worse = documentOf([...seeds([0.5, 0.52]), byHand]).answer
    expect(worse).toBe('On caltech101, zero-shot does best: 60.0 %.')
    expect(markdown([byHand])).toContain('\n\nOn caltech101, zero-shot does best: 60.0 %.\n\n')
  })
})

describe('runs that differ in more than their seed', () => {
  const first = exampleRecord({ id: 'a' })
  const settings = { ...first.settings, learningRate: 0.01 }
  it.each<[string, Partial<MeasuredRecord>, string]>([
    ['settings', { settings }, 'CoOp, end (learningRate=0.01)'],
    ['views', { views: 'online' }, 'CoOp, end (views online)'],
    ['classes', { classes: 50 }, 'caltech101 (50 classes)'],
    ['transforms', { transforms: '2021-09' }, '## bundled, pictures of 2021-09'],
    ['model', { model: { name: 'other', fingerprint: 'x' } }, '## other, pictures of 2021-10'],
    [
      'weights under the same name',
      { model: { name: 'bundled', fingerprint: 'x' } },
      '## bundled, fingerprint x, pictures',
    ],
    ['split', { split: 'base' }, '## bundled, pictures of 2021-10, base classes'],
  ])('%s never share a mean', (_, changes, title) => {
    const text = markdown([first, exampleRecord({ ...changes, id: 'b', seed: 2, accuracy: 0.7 })])
    expect(text).toContain(title)
    expect(text).toContain('50.0')
    expect(text).toContain('70.0')
    expect(text).not.toContain('60.0')
  })

  it('in the version of coop-ts share one, which is said', () => {
    const other = exampleRecord({ id: 'b', seed: 2, environment: { ...first.environment, coop: '0.2.0' } })
    expect(markdown([first, other])).toMatch(
      /different versions[^\n]*\n\n- caltech101, CoOp, end, 16 shots: versions 0\.1\.0, 0\.2\.0/,
    )
  })
})

describe('analyses', () => {
  const names = (records: readonly MeasuredRecord[]) => figuresOf(documentOf(records)).map(({ name }) => name)
  const caltech = (...who: readonly string[]) =>
    exampleRecords({ players: players(...who), datasets: datasets('caltech101'), ...ALL })

  it('appear only where the records have what they need', () => {
    const one = documentOf(seeds([0.5]))
    expect(figuresOf(one)).toEqual([])
    const titles = one.blocks.flatMap((block) => (block.kind === 'heading' ? [block.text] : []))
    expect(titles).toEqual([
      'bundled, pictures of 2021-10',
      'Accuracy by shots',
      'All means',
      'Settings',
      'Cost',
      'Environment',
    ])
  })

  it('few-shot curves with star and dashed linear probe; gains of the methods', () => {
    const [curves, gains] = figuresOf(documentOf(caltech('zeroShot', 'linearProbe', 'end', 'four', 'words')))
    expect(curves?.name).toBe('few-shot')
    expect(curves?.svg).toContain('stroke-dasharray="5 3"')
    expect(curves?.svg).not.toContain('M=4')
    expect([...(gains?.svg.matchAll(/>([+-]\d+\.\d)</g) ?? [])]).toHaveLength(2)
  })

  it('context length, random start against words, ensembles', () => {
    const records = caltech('zeroShot', 'ensemble', 'end', 'four', 'eight', 'words')
    const text = markdown(records)
    expect(names(records)).toContain('context-length-coop-end')
    const starts = section(text, 'Random start or words')
    const order = ['random, M=4', 'random, M=8', 'random, M=16', '"a photo of a"'].map((start) => starts.indexOf(start))
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(order).not.toContain(-1)
    expect(line(section(text, 'Hand-written prompts'), 'zero-shot, 2 prompts')).toHaveLength(2)
  })

  it('backbones, in the order of the paper', () => {
    const models = ['ViT-B/16', 'RN101', 'RN50', 'ViT-B/32'].map((architecture, i) => ({
      architecture,
      name: `m${i}`,
      fingerprint: `${i}`,
    }))
    const records = models.flatMap((model) =>
      exampleRecords({
        players: players('zeroShot', 'end'),
        datasets: datasets('dtd', 'eurosat'),
        ...ALL,
        changes: { model },
      }),
    )
    const table = section(markdown(records), 'Backbones')
    expect(line(table, 'data set')).toEqual(['data set', 'method', 'RN50', 'RN101', 'ViT-B/32', 'ViT-B/16'])
    expect(line(table, 'Average over 2 data sets')).toHaveLength(6)
  })

  it('base and new classes with their harmonic mean', () => {
    const records = seeds([0.8047], { split: 'base', elsewhere: { new: 0.7169 } })
    const table = section(markdown(records), 'Base to new classes')
    expect(line(table, 'caltech101')).toEqual(['caltech101', 'CoOp, end', '16', '80.5', '71.7', '75.8'])
  })

  it('domain shift and other data sets', () => {
    const elsewhere = { imagenetv2: -0.1, 'imagenet-sketch': -0.2, caltech101: 0.1 }
    const records = exampleRecords({
      ...{
        players: players('zeroShot', 'end'),
        datasets: datasets('imagenet'),
        shots: [16],
        seeds: [1, 2, 3],
        elsewhere,
      },
    })
    const text = markdown(records)
    expect(line(section(text, 'Domain shift'), 'method')?.slice(2)).toEqual([
      'imagenet (source)',
      'imagenet-sketch',
      'imagenetv2',
      'mean of targets',
    ])
    expect(line(section(text, 'Domain shift'), 'zero-shot')).toEqual(['zero-shot', '–', '53.0', '33.0', '43.0', '38.0'])
    expect(line(section(text, 'Other data sets'), 'zero-shot')).toEqual(['zero-shot', '–', '53.0', '63.0'])
  })
})

describe('published figures', () => {
  const paper = (changes: Partial<MeasuredRecord> = {}) =>
    markdown(seeds([0.91, 0.92, 0.93], { model: RN50, views: 'online', ...changes }))
  const BESIDE = 'Comparison with the published figures'
  const defaults = exampleRecord().settings

  it('stand beside ours where the setting is the paper’s', () => {
    expect(line(section(paper(), BESIDE), 'caltech101')).toEqual([
      'caltech101',
      'CoOp, end',
      '16',
      '92.0 ± 1.0',
      '91.8',
      '+0.2',
    ])
  })

  it('with a word where views were drawn once', () => {
    expect(section(paper({ views: 4 }), BESIDE)).toContain('4 views of each training image, drawn once')
  })

  it.each<[string, Partial<MeasuredRecord>]>([
    ['another model', { model: { ...RN50, architecture: 'RN101' } }],
    ['an unknown model', { model: { name: 'bundled', fingerprint: 'x' } }],
    ['other weights', { model: { ...RN50, name: 'models/yfcc15m' } }],
    ['old pictures', { transforms: '2021-09' }],
    ['another context length', { settings: { ...defaults, M: 4 } }],
    ['words as a start', { settings: { ...defaults, init: 'a photo of a' } }],
    ['another learning rate', { settings: { ...defaults, learningRate: 0.01 } }],
    ['fewer epochs', { facts: { epochs: 50 } }],
    ['no augmentation', { views: 0 }],
    ['a linear probe on augmented pictures', { method: 'linear-probe', title: 'linear probe', settings: {}, views: 4 }],
    ['other classes', { classes: 10 }],
    ['half of the classes', { split: 'base' }],
    ['another data set', { dataset: 'photos' }],
    ['another method', { method: 'cocoop' }],
    ['another position', { settings: { ...defaults, position: 'front' } }],
    ['another number of shots', { shots: 3 }],
  ])('do not with %s', (_, changes) => {
    expect(paper(changes)).not.toMatch(/ublished/)
  })

  it('are there for orientation when asked for, with what differs', () => {
    const text = markdown(seeds([0.5], { settings: { ...defaults, learningRate: 0.01 } }), true)
    const table = section(text, 'Published with RN50, for orientation')
    expect(line(table, 'caltech101')).toEqual(['caltech101', 'CoOp, end', '91.8'])
    expect(table).toContain('the model is bundled, not RN50; learningRate 0.01.')
  })

  it('are drawn in grey, and in summary.csv', () => {
    const records = exampleRecords({
      ...{ players: players('zeroShot', 'end'), datasets: datasets('caltech101'), ...ALL, changes: { model: RN50 } },
    })
    expect(figuresOf(documentOf(records))[0]?.svg).toContain('published')
    expect(summaryCsv(groupsOf(records))).toMatch(/,16,3,[^\n]*,91\.83\n/)
    expect(
      figuresOf(documentOf(exampleRecords({ players: players('end'), datasets: datasets('dtd'), ...ALL })))[0]?.svg,
    ).not.toContain('published')
  })
})

describe('what is written', () => {
  const records = exampleRecords({
    ...{
      players: Object.values(PLAYERS),
      datasets: datasets('dtd', 'imagenet'),
      ...ALL,
      elsewhere: { imagenetv2: -0.1 },
    },
  })

  it('is the same for the same runs, in whatever order', () => {
    const written = (runs: readonly MeasuredRecord[]) => [
      markdownDocument(documentOf(runs), (name) => `${name}.svg`),
      htmlDocument(documentOf(runs)),
      summaryCsv(groupsOf(runs)),
    ]
    expect(written([...records].reverse())).toEqual(written(records))
  })

  it('has no number that is none, and no script', () => {
    const html = htmlDocument(documentOf(records))
    expect(html).not.toMatch(/NaN|undefined|Infinity|<script|<link|<img|\ssrc=|\shref=|url\(/)
  })

  it('shows names as they are, never as markup', () => {
    const hostile = '<script>|`*_[x](y)\n# "'
    const run = exampleRecord({ dataset: hostile, title: hostile, model: { name: hostile, fingerprint: hostile } })
    const document = documentOf([run])
    expect(htmlDocument(document)).not.toMatch(/<script/)
    const text = markdownDocument(document, undefined)
    expect(text).not.toMatch(/<script|[^\\]\[x\]|^# "/m)
    expect(
      line(section(text, 'Accuracy by shots').replaceAll('\\|', ''), '&lt;script>\\`\\*\\_\\[x\\](y) \\# "'),
    ).toBeDefined()
    expect(runsCsv([run]).split('\n')[1]).toContain('"<script>|`*_[x](y)')
    expect(runsCsv([run])).toContain('# """')
  })

  it('has a line a run in CSV, accuracies in %', () => {
    const [head = '', first = ''] = runsCsv(seeds([0.9181], { elsewhere: { new: 0.5 } })).split('\n')
    const cell = (title: string) =>
      first.replace(/"(?:[^"]|"")*"/g, 'quoted').split(',')[head.split(',').indexOf(title)]
    expect(['id', 'seed', 'accuracy', 'accuracy on new', 'collapsed'].map(cell)).toEqual([
      'run-0',
      '1',
      '91.81',
      '50',
      'false',
    ])
  })
})
