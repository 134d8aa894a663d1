import type { Bench, BenchResult, Figure } from './bench.ts'
import type { Machine } from './machine.ts'

/** The head of what is printed: on which machine. */
export const headOf = ({ processor, cores, threads, memory, node, onnxruntime, platform }: Machine): string =>
  `${processor}, ${cores} cores, ${threads} threads, ${(memory / 1e9).toFixed(0)} GB, ${platform}; Node ${node}, ONNX Runtime ${onnxruntime}`

/** What a bench measured, in Markdown. */
export function sectionOf({ name, about }: Bench, { figures, notes }: BenchResult): string {
  const table = [COLUMNS, COLUMNS.map((_, i) => (i < 3 ? '---' : '---:')), ...figures.map(cellsOf)]
  const lines = figures.length === 0 ? [] : [table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')]
  return [`## ${name}`, about, ...lines, ...(notes.length === 0 ? [] : [notes.map((n) => `- ${n}`).join('\n')])].join(
    '\n\n',
  )
}

const COLUMNS = ['what', 'size', 'measured', 'median', 'least to most', 'runs']

function cellsOf({ name, size, metric, unit, median, min, max, runs }: Figure): string[] {
  const words = [name, String(size), metric].map((text) => text.replaceAll('|', '\\|'))
  if (median === null || min === null || max === null) return [...words, '', '', '']
  return [...words, `${numberText(median)} ${unit}`.trim(), `${numberText(min)} to ${numberText(max)}`, String(runs)]
}

export const numberText = (x: number): string =>
  Number.isInteger(x) || Math.abs(x) >= 100 ? String(Math.round(x)) : x.toPrecision(3)
