import { countOf } from '../../../base/count.ts'
import type { Table } from '../../../report/document.ts'
import { answerSentence, htmlPage, htmlTable, paragraph } from '../../../report/html.ts'
import { linePanels } from '../../../report/line-chart.ts'
import { photoCard, pictureList, pictureSheet } from '../../../report/pictures.ts'
import { element, escapeMarkup } from '../../../report/svg.ts'
import { duration, percent } from '../../../report/text.ts'
import { fewShotChart } from './curves.ts'
import { gainFigure, mostShots } from './gains.ts'
import { tableOf } from './table.ts'
import type { DemoResult } from './types.ts'

/** One HTML page with all of a result in it: no script, nothing loaded from elsewhere. */
export function renderReport(result: DemoResult): string {
  const copies = result.tasks.flatMap(({ changed }) => changed?.examples ?? []).map(({ picture }) => picture)
  const body = [
    '<h1>Learned against hand-written prompts</h1>',
    answerSentence(summary(result)),
    ...(copies.length === 0 ? [] : ['<h2>What was told apart, before and after</h2>', changedPictures(result)]),
    '<h2>Accuracy by number of training images</h2>',
    paragraph(
      'The star is zero-shot classification with the hand-written prompt. Whiskers: one standard deviation over seeds.',
    ),
    linePanels(fewShotChart(result)),
    '<h2>What learning gains</h2>',
    gainFigure(result),
    '<h2>All figures</h2>',
    paragraph('Accuracy in %, mean ± standard deviation over seeds.'),
    htmlTable(demoTable(result)),
    '<h2>What was learned</h2>',
    learnedWords(result),
    '<h2>How to reproduce it</h2>',
    reproduction(result),
  ]
  return htmlPage('CoOp: learned against hand-written prompts', body, pictureSheet(new Map(copies.entries())))
}

/** Of each task, how many answers changed, and pictures of which they did. */
function changedPictures(result: DemoResult): string {
  const shots = mostShots(result)
  const caption = paragraph(
    `Test pictures of which the answer changed, from the hand-written prompt to one learned context of ${countOf(shots, 'image')} of each class.`,
  )
  let place = 0
  const groups = result.tasks.flatMap(({ title, shift, changed, zeroShot, coop }) => {
    if (changed === undefined) return []
    const cards = changed.examples.map(({ label, before, after }) => {
      const answer = (words: string) =>
        element('span', { class: words === label ? 'right' : 'wrong' }, escapeMarkup(words))
      const words = `${element('span', { class: 'is' }, escapeMarkup(label))}: ${answer(before)} → ${answer(after)}`
      return photoCard(place++, label, words)
    })
    const { tested, putRight, madeWrong } = changed
    const learned = coop[shots]
    const rise = learned ? `${percent(zeroShot)} → ${percent(learned.mean)}; ` : ''
    const counts = `${rise}of ${countOf(tested, 'picture')} ${putRight} put right, ${madeWrong} made wrong.`
    return [
      element(
        'div',
        { class: 'group' },
        element('h3', {}, escapeMarkup(shift ? `${title} (shift of style)` : title)),
        paragraph(counts),
        pictureList(cards),
      ),
    ]
  })
  return [caption, ...groups].join('\n')
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
  return element('pre', { tabindex: 0 }, escapeMarkup(settings.command)) + element('p', {}, escapeMarkup(facts))
}
