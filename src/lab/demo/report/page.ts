import { countOf } from '../../../base/count.ts'
import type { Table } from '../../../report/document.ts'
import { htmlPage, htmlTable } from '../../../report/html.ts'
import { element, escapeMarkup } from '../../../report/svg.ts'
import { duration, percent } from '../../../report/text.ts'
import { fewShotFigure } from './curves.ts'
import { gainFigure, mostShots } from './gains.ts'
import { tableOf } from './table.ts'
import type { DemoResult } from './types.ts'

/** One HTML page with all of a result in it: no script, nothing loaded from elsewhere. */
export function renderReport(result: DemoResult): string {
  return htmlPage('CoOp: learned against hand-written prompts', [
    '<h1>Learned against hand-written prompts</h1>',
    element('p', {}, escapeMarkup(summary(result))),
    '<h2>Accuracy by number of training images</h2>',
    element(
      'p',
      {},
      'The star is zero-shot classification with the hand-written prompt. Whiskers: one standard deviation over seeds.',
    ),
    fewShotFigure(result),
    '<h2>What learning gains</h2>',
    gainFigure(result),
    '<h2>All figures</h2>',
    element('p', {}, 'Accuracy in %, mean ± standard deviation over seeds.'),
    htmlTable(demoTable(result)),
    '<h2>What was learned</h2>',
    learnedWords(result),
    '<h2>How to reproduce it</h2>',
    reproduction(result),
  ])
}

function summary(result: DemoResult): string {
  const shots = mostShots(result)
  const tasks = result.tasks.filter((task) => !task.shift).length
  const learned = [
    { curve: result.coop, what: 'one learned context' },
    { curve: result.coopCsc, what: 'a learned context for each class' },
  ].flatMap(({ curve, what }) => {
    const accuracy = curve[shots]
    return accuracy ? [`${percent(accuracy.mean)} with ${what}`] : []
  })
  const start = `Mean over ${tasks} tasks: ${percent(result.zeroShot)} with hand-written prompts (chance ${percent(result.chance)})`
  return learned.length === 0
    ? `${start}.`
    : `${start}, ${learned.join(', ')}, from ${countOf(shots, 'image')} of each class.`
}

function demoTable(result: DemoResult): Table {
  const { shots, rows } = tableOf(result)
  return {
    kind: 'table',
    head: ['task', 'classes', 'method', '0 shots', ...shots.map(String)],
    words: 3,
    rows: rows.map(({ task, classes, method, cells }) => ({
      cells: [task, classes, method, ...cells],
      first: task !== '',
    })),
  }
}

function learnedWords(result: DemoResult): string {
  const entries = result.tasks.flatMap(({ title, prompt, words }) => {
    if (!words || words.length === 0) return []
    const learned = words.map((word) => element('code', {}, escapeMarkup(word))).join(' ')
    return [
      element('dt', {}, escapeMarkup(title)),
      element('dd', {}, `${learned}<br>hand-written: ${element('code', {}, escapeMarkup(prompt))}`),
    ]
  })
  if (entries.length === 0) return element('p', {}, 'Nearest words were not computed in this run.')
  const caution =
    'The word of the vocabulary nearest to each learned vector, in the order of the vectors. Nearest is rarely near: the vectors are not words.'
  return element('p', {}, caution) + element('dl', {}, entries.join(''))
}

function reproduction({ settings, seconds }: DemoResult): string {
  const facts = `Model ${settings.model}; seeds ${settings.seeds.join(', ')}; shots ${settings.shots.join(', ')}; ${duration(1000 * seconds)} here.`
  return element('pre', {}, escapeMarkup(settings.command)) + element('p', {}, escapeMarkup(facts))
}
