import { circle, diamond, lineChart, type Marker, type Panel, square } from '../src/report/line-chart.ts'
import { COLOURS } from '../src/report/svg.ts'
import type { Row } from './bench.ts'
import { TORCH } from './padded.bench.ts'

/** What is drawn, by its name in the rows of `step` and `padded`. */
const LINES: readonly {
  readonly group: string
  readonly name: string
  readonly label: string
  readonly colour: string
  readonly marker: Marker
}[] = [
  { group: 'step', name: 'end', label: 'coop-ts', colour: COLOURS.coop, marker: circle },
  { group: 'padded', name: 'padded', label: 'padded to 77 tokens', colour: COLOURS.csc, marker: square },
  { group: 'padded', name: TORCH, label: TORCH, colour: COLOURS.zeroShot, marker: diamond },
]

const PANELS = [
  { title: 'a training step, s', metric: 'step', times: 1e-3 },
  { title: 'memory of the process, GB', metric: 'memory', times: 1e-3 },
]

/** Time and memory of a training step by number of classes, as SVG. */
export function stepPlot(rows: readonly Row[], machine: string): string {
  const drawn = rows.filter((row) => LINES.some(({ group, name }) => row.group === group && row.name === name))
  const stops = [...new Set(drawn.map(({ size }) => Number(size)))].sort((a, b) => a - b)
  const panels = PANELS.map(({ title, metric, times }): Panel => {
    const series = LINES.map(({ group, name, ...line }) => {
      const of = drawn.filter((row) => row.group === group && row.name === name && row.metric === metric)
      const points = of.flatMap(({ size, median }) =>
        median === null ? [] : [{ x: Number(size), mean: times * median }],
      )
      return { ...line, points }
    })
    return { title, levels: [], series: series.filter(({ points }) => points.length > 0) }
  })
  return lineChart({
    title: 'Time and memory of a training step by number of classes',
    note: `classes; ${machine}`,
    stops,
    panels,
  })
}
