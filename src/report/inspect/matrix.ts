import { countOf } from '../../base/count.ts'
import type { ConfusionCell, InspectionTables } from '../../trained/inspect/types.ts'
import { paragraph, scrolling } from '../html.ts'
import { type Copies, pictureCard, pictureList } from '../pictures.ts'
import { element, escapeMarkup } from '../svg.ts'
import { percent } from '../text.ts'
import { picturesOfCell, type Shown } from './shown.ts'

/** The confusion matrix; each cell opens the pictures in it. */
export function confusionSection(tables: InspectionTables, shown: Shown, copies: Copies): string {
  const { classes, cells, pairs } = shown
  const { classNames, judged } = tables
  const places = new Map(cells.map((cell, i) => [cell, `cell-${i}`]))
  const found = new Map(cells.map((cell) => [JSON.stringify([cell.label, cell.answer]), cell]))
  const totals = new Map<string, number>()
  for (const { label, pictures } of tables.confusion) totals.set(label, (totals.get(label) ?? 0) + pictures.length)
  const head = classes.map((name) => element('th', { scope: 'col' }, element('span', {}, escapeMarkup(name))))
  const lines = classes.map((label) => {
    const each = classes.map((answer) => {
      const cell = found.get(JSON.stringify([label, answer]))
      if (cell === undefined) return element('td', {}, '')
      const share = cell.pictures.length / (totals.get(label) ?? 1)
      const button = opener(cell, places.get(cell) ?? '', String(cell.pictures.length), `--share: ${share.toFixed(3)}`)
      return element('td', { class: label === answer ? 'hit' : undefined }, button)
    })
    return element('tr', {}, element('th', { scope: 'row', title: label }, escapeMarkup(label)), ...each)
  })
  const matrix = element(
    'table',
    { class: 'matrix' },
    element('thead', {}, element('tr', {}, element('td', {}, ''), ...head)),
    element('tbody', {}, ...lines),
  )
  const fewer =
    classes.length < classNames.length
      ? paragraph(
          `The ${classes.length} classes of ${classNames.length} that are confused most; all cells are in --json.`,
          'note',
        )
      : ''
  const most = pairs.map((cell) =>
    element('li', {}, opener(cell, places.get(cell) ?? '', `${cell.label} → ${cell.answer}: ${cell.pictures.length}`)),
  )
  const sheets = cells.map((cell) => cellSheet(cell, places.get(cell) ?? '', tables, copies))
  return [
    paragraph(`Rows: what it is. Columns: what the run says. Open a cell to see its pictures (of ${judged.tested}).`),
    fewer,
    classes.length === 0 ? '' : scrolling('Confusion matrix', matrix),
    most.length === 0
      ? paragraph('Nothing is confused.')
      : `<h3>Most often confused</h3>${element('ul', { class: 'pairs' }, ...most)}`,
    ...sheets,
  ].join('\n')
}

/** A button that opens a cell's pictures, without a script. */
function opener({ label, answer, pictures }: ConfusionCell, id: string, words: string, style?: string): string {
  const count = countOf(pictures.length, 'picture')
  const about = label === answer ? `${label}, right: ${count}` : `${label} taken for ${answer}: ${count}`
  return element(
    'button',
    { type: 'button', popovertarget: id, 'aria-label': about, title: about, style },
    escapeMarkup(words),
  )
}

function cellSheet(cell: ConfusionCell, id: string, { pictures }: InspectionTables, copies: Copies): string {
  const { label, answer } = cell
  const shown = picturesOfCell(cell)
  const title = label === answer ? `${label}: right` : `${label}, taken for ${answer}`
  const close = element(
    'button',
    { type: 'button', class: 'close', popovertarget: id, popovertargetaction: 'hide' },
    'Close',
  )
  const rows = shown.flatMap((place) => pictures[place] ?? [])
  const sure = rows.map(({ probability }) => probability)
  const about =
    `${countOf(cell.pictures.length, 'picture')}` +
    (cell.pictures.length > shown.length ? `, ${shown.length} of them here` : '') +
    `. Probability given: ${percent(Math.min(...sure))} to ${percent(Math.max(...sure))}.`
  return element(
    'div',
    { id, popover: 'auto', role: 'dialog', 'aria-label': title },
    close,
    element('h3', {}, escapeMarkup(title)),
    paragraph(about, 'quiet'),
    pictureList(rows.map((row) => pictureCard(copies, row))),
  )
}
