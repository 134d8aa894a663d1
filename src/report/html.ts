import type { Block, Document, Table } from './document.ts'
import { FIGURE_SHEET, STYLE_SHEET } from './styles.ts'
import { element, escapeMarkup } from './svg.ts'

/** A page may load nothing and run nothing: all that it shows is in it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/** A page with its style in it: no script, nothing loaded from elsewhere. `body` is markup, `sheet` more of its style. */
export function htmlPage(title: string, body: readonly string[], sheet = ''): string {
  const head = [
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    element('title', {}, escapeMarkup(title)),
    `<style>${STYLE_SHEET}${FIGURE_SHEET}${sheet}</style>`,
  ]
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.join('\n')}\n</head>\n<body>\n<main>\n${body.join('\n')}\n</main>\n</body>\n</html>\n`
}

export function htmlDocument({ title, answer, blocks }: Document): string {
  const start = [element('h1', {}, escapeMarkup(title)), ...(answer === undefined ? [] : [answerSentence(answer)])]
  return htmlPage(title, [...start, ...blocks.map(htmlBlock)])
}

/** What a page says, in a sentence above all else. */
export const answerSentence = (words: string): string => element('p', { class: 'answer' }, escapeMarkup(words))

export const paragraph = (words: string, className?: string): string =>
  element('p', { class: className }, escapeMarkup(words))

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return element(`h${block.level}`, {}, escapeMarkup(block.text))
    case 'text':
      return paragraph(block.text)
    case 'list':
      return element('ul', {}, block.items.map((item) => element('li', {}, escapeMarkup(item))).join(''))
    case 'code':
      return element('pre', { tabindex: 0 }, escapeMarkup(block.text))
    case 'table':
      return htmlTable(block)
    case 'figure':
      return block.html
  }
}

/** What scrolls sideways where the page is narrow, also by keyboard. */
export const scrolling = (label: string, content: string): string =>
  element('div', { class: 'wide', tabindex: 0, role: 'group', 'aria-label': label }, content)

/** A table that can be scrolled sideways where the page is narrow. */
export function htmlTable({ head, rows, words }: Table): string {
  const titles = head.map((title) => element('th', { scope: 'col' }, escapeMarkup(title)))
  const lines = rows.map(({ cells, first }) => {
    const written = cells.map((cell) => element('td', {}, escapeMarkup(cell)))
    return element('tr', first ? { class: 'first' } : {}, written.join(''))
  })
  const table = element(
    'table',
    { class: `words-${words}` },
    element('thead', {}, element('tr', {}, titles.join(''))),
    element('tbody', {}, lines.join('')),
  )
  return scrolling(
    `Table: ${head
      .filter((title) => title !== '')
      .slice(0, 3)
      .join(', ')}`,
    table,
  )
}
