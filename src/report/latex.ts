import { visible } from '../base/visible.ts'
import type { Document, Table } from './document.ts'

/** The tables of a document for a paper: each a table with its heading for a caption. It needs the package booktabs. */
export function latexDocument({ title, blocks }: Document): string {
  const tables: string[] = []
  let [section, caption] = ['', '']
  for (const block of blocks) {
    if (block.kind === 'heading' && block.level === 2) [section, caption] = [block.text, block.text]
    if (block.kind === 'heading' && block.level === 3) caption = `${section}: ${block.text}`
    if (block.kind === 'table') tables.push(latexTable(block, caption))
  }
  return [`% ${visible(title)}`, '% \\usepackage{booktabs}', '', tables.join('\n\n'), ''].join('\n')
}

function latexTable({ head, rows, words }: Table, caption: string): string {
  const line = (cells: readonly string[]) => `${cells.map(escapeLatex).join(' & ')} \\\\`
  const body = rows.flatMap(({ cells, first }, i) => [...(first && i > 0 ? ['\\midrule'] : []), line(cells)])
  return [
    '\\begin{table}',
    '\\centering',
    `\\caption{${escapeLatex(caption)}}`,
    `\\begin{tabular}{${'l'.repeat(words)}${'r'.repeat(Math.max(0, head.length - words))}}`,
    '\\toprule',
    line(head),
    '\\midrule',
    ...body,
    '\\bottomrule',
    '\\end{tabular}',
    '\\end{table}',
  ].join('\n')
}

const SIGNS: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '±': '$\\pm$',
  '†': '\\textdagger{}',
  '√': '$\\surd$',
  '−': '$-$',
  '–': '--',
  '’': "'",
  '<': '\\textless{}',
  '>': '\\textgreater{}',
}

/** Text that stands for itself: every sign that means something to LaTeX is written out. */
function escapeLatex(text: string): string {
  return visible(text.replace(/\s*[\r\n]+\s*/g, ' ')).replace(
    /[\\~^±†√−–’<>&%$#_{}]/g,
    (sign) => SIGNS[sign] ?? `\\${sign}`,
  )
}
