import { largest } from '../base/extremes.ts'
import { visible } from '../base/visible.ts'
import type { Block, Document, Table } from './document.ts'

/** Path of a figure, as a link relative to the Markdown file; undefined where figures are not written. */
export type FigureLink = ((name: string) => string) | undefined

export function markdownDocument({ title, answer, blocks }: Document, figureLink: FigureLink): string {
  const start = [`# ${escapeMarkdown(title)}`, ...(answer === undefined ? [] : [escapeMarkdown(answer)])]
  const parts = [...start, ...blocks.flatMap((block) => markdownBlock(block, figureLink))]
  return `${parts.join('\n\n')}\n`
}

function markdownBlock(block: Block, figureLink: FigureLink): string[] {
  switch (block.kind) {
    case 'heading':
      return [`${'#'.repeat(block.level)} ${escapeMarkdown(block.text)}`]
    case 'text':
      return [escapeMarkdown(block.text)]
    case 'list':
      return [block.items.map((item) => `- ${escapeMarkdown(item)}`).join('\n')]
    case 'code':
      return [fenced(block.text)]
    case 'table':
      return [markdownTable(block)]
    case 'figure':
      return figureLink ? [`![${escapeMarkdown(block.title)}](${encodeURI(figureLink(block.name))})`] : []
  }
}

function markdownTable({ head, rows, words }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(' | ')} |`
  const alignment = head.map((_, i) => (i < words ? ':--' : '--:'))
  return [line(head), `| ${alignment.join(' | ')} |`, ...rows.map(({ cells }) => line(cells))].join('\n')
}

/** Text that stands for itself: no markup, no HTML, no new cell or line. */
function escapeMarkdown(text: string): string {
  return visible(text.replace(/\s*[\r\n]+\s*/g, ' '))
    .replace(/[\\`*_[\]|~#]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/^(\d+)([.)]) /, '$1\\$2 ')
    .replace(/^([-+>])(?= )/, '\\$1')
}

/** A fence longer than any run of backticks inside. */
function fenced(text: string): string {
  const longest = Math.max(2, largest(Array.from(text.matchAll(/`+/g), ([run]) => run.length)))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${text.replace(/\n$/, '')}\n${fence}`
}
