import type { Block, Document, Table } from './document.ts'
import { element, escapeMarkup } from './svg.ts'

const STYLE = `
  body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: #1f2328; background: #fff;
         max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; } h3 { margin-top: 2rem; }
  svg { max-width: 100%; height: auto; }
  .wide { overflow-x: auto; margin: 1rem 0; }
  table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.2rem 0.6rem; text-align: right; white-space: nowrap; }
  .words-1 :is(th, td):nth-child(-n+1), .words-2 :is(th, td):nth-child(-n+2), .words-3 :is(th, td):nth-child(-n+3),
  .words-4 :is(th, td):nth-child(-n+4),
  .words-6 :is(th, td):nth-child(-n+6) { text-align: left; }
  thead th { border-bottom: 2px solid #1f2328; }
  tr.first td { border-top: 1px solid #d0d7de; }
  td:first-child { font-weight: 600; }
  pre, code { font: 0.85rem ui-monospace, Menlo, Consolas, monospace; background: #f6f8fa; border-radius: 4px; }
  pre { padding: 0.8rem 1rem; overflow-x: auto; } code { padding: 0.1rem 0.3rem; }
  dt { font-weight: 600; margin-top: 0.8rem; } dd { margin-left: 0; }`

/** A page with its style in it: no script, nothing loaded from elsewhere. `body` is markup. */
export function htmlPage(title: string, body: readonly string[]): string {
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    element('title', {}, escapeMarkup(title)),
    `<style>${STYLE}\n</style>`,
  ]
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.join('\n')}\n</head>\n<body>\n${body.join('\n')}\n</body>\n</html>\n`
}

export function htmlDocument({ title, blocks }: Document): string {
  return htmlPage(title, [element('h1', {}, escapeMarkup(title)), ...blocks.map(htmlBlock)])
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return element(`h${block.level}`, {}, escapeMarkup(block.text))
    case 'text':
      return element('p', {}, escapeMarkup(block.text))
    case 'list':
      return element('ul', {}, block.items.map((item) => element('li', {}, escapeMarkup(item))).join(''))
    case 'code':
      return element('pre', {}, escapeMarkup(block.text))
    case 'table':
      return htmlTable(block)
    case 'figure':
      return block.svg
  }
}

/** A table that can be scrolled sideways where the page is narrow. */
export function htmlTable({ head, rows, words }: Table): string {
  const titles = head.map((title) => element('th', {}, escapeMarkup(title)))
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
  return element('div', { class: 'wide' }, table)
}
