import { fewShotFigure } from './curves.ts'
import { gainFigure, mostShots } from './gains.ts'
import { element, escapeMarkup } from './svg.ts'
import { tableOf } from './table.ts'
import { duration, percent } from './text.ts'
import type { DemoResult } from './types.ts'

const STYLE = `
  body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: #1f2328; background: #fff;
         max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
  svg { max-width: 100%; height: auto; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.2rem 0.6rem; text-align: right; white-space: nowrap; }
  th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
  thead th { border-bottom: 2px solid #1f2328; }
  tr.first td { border-top: 1px solid #d0d7de; }
  td:first-child { font-weight: 600; }
  pre, code { font: 0.85rem ui-monospace, Menlo, Consolas, monospace; background: #f6f8fa; border-radius: 4px; }
  pre { padding: 0.8rem 1rem; overflow-x: auto; } code { padding: 0.1rem 0.3rem; }
  dt { font-weight: 600; margin-top: 0.8rem; } dd { margin-left: 0; }`

/** One HTML page with all of a result in it: no script, nothing loaded from elsewhere. */
export function renderReport(result: DemoResult): string {
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>CoOp: learned against hand-written prompts</title>',
    `<style>${STYLE}\n</style>`,
  ]
  const body = [
    '<h1>Learned against hand-written prompts</h1>',
    element('p', {}, escapeMarkup(summary(result))),
    '<h2>Accuracy over training images</h2>',
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
    element('div', { class: 'wide' }, htmlTable(result)),
    '<h2>What was learned</h2>',
    learnedWords(result),
    '<h2>How to make it again</h2>',
    reproduction(result),
  ]
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.join('\n')}\n</head>\n<body>\n${body.join('\n')}\n</body>\n</html>\n`
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
  return learned.length === 0 ? `${start}.` : `${start}, ${learned.join(', ')}, from ${shots} images of each class.`
}

function htmlTable(result: DemoResult): string {
  const { shots, rows } = tableOf(result)
  const titles = ['task', 'classes', 'method', '0 shots', ...shots.map(String)]
  const head = element('tr', {}, ...titles.map((title) => element('th', {}, escapeMarkup(title))))
  const lines = rows.map(({ task, classes, method, cells }) => {
    const written = [task, classes, method, ...cells].map((cell) => element('td', {}, escapeMarkup(cell)))
    return element('tr', task ? { class: 'first' } : {}, ...written)
  })
  return element('table', {}, element('thead', {}, head), element('tbody', {}, ...lines))
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
  if (entries.length === 0) return element('p', {}, 'No nearest words were asked for in this run.')
  const caution =
    'The word of the vocabulary nearest to each learned vector, in the order of the vectors. Near is seldom close: the vectors are not words.'
  return element('p', {}, caution) + element('dl', {}, ...entries)
}

function reproduction({ settings, seconds }: DemoResult): string {
  const facts = `Model ${settings.model}; seeds ${settings.seeds.join(', ')}; shots ${settings.shots.join(', ')}; ${duration(1000 * seconds)} here.`
  return element('pre', {}, escapeMarkup(settings.command)) + element('p', {}, escapeMarkup(facts))
}
