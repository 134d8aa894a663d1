import { largest, smallest } from '../base/extremes.ts'
import { COLOURS, drawing, element, escapeMarkup, label, linearScale, niceTicks, polyline, type Scale } from './svg.ts'

/** A line of a chart; accuracies are in %. */
export interface Series {
  readonly label: string
  readonly colour: string
  readonly marker: Marker
  /** SVG dash pattern; solid when left out. */
  readonly dash?: string
  readonly points: readonly Point[]
}

/** A number, or a word such as `all`. */
type Stop = number | string

export interface Point {
  /** One of the chart's stops. */
  readonly x: Stop
  readonly mean: number
  readonly sd?: number
  /** A ring around the marker. */
  readonly ringed?: boolean
}

/** A value that does not depend on x: a star at the first stop and a dotted line across. */
export interface Level {
  readonly label: string
  readonly colour: string
  readonly value: number
}

export interface Panel {
  readonly title: string
  readonly strong?: boolean
  readonly levels: readonly Level[]
  readonly series: readonly Series[]
}

export interface LineChart {
  /** For those who cannot see the drawing. */
  readonly title: string
  /** Stands after the legend: what the axes are. */
  readonly note: string
  /** Values of x; they stand evenly, so that in 1, 2, 4, 8, 16 a step to the right doubles. */
  readonly stops: readonly Stop[]
  readonly panels: readonly Panel[]
}

interface Frame {
  readonly width: number
  readonly height: number
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const MARGINS = { left: 34, right: 12, top: 28, bottom: 34 }
const COLUMNS = 4
/** Few panels are drawn larger: size by the number of columns. */
const SIZES: Readonly<Record<number, { width: number; height: number }>> = {
  1: { width: 620, height: 340 },
  2: { width: 410, height: 260 },
  3: { width: 310, height: 220 },
}
const SIZE = { width: 236, height: 188 }

/** Small charts side by side, all of the same lines and of one scale, with one legend above: a drawing for a file. */
export function lineChart({ title, note, stops, panels }: LineChart): string {
  const columns = Math.max(1, Math.min(COLUMNS, panels.length))
  const frame: Frame = { ...MARGINS, ...(SIZES[columns] ?? SIZE) }
  const ticks = ticksOf(panels, frame)
  const width = columns * frame.width
  const legend = drawLegend(panels, note, width)
  const drawn = panels.map((panel, i) => {
    const x = (i % columns) * frame.width
    const y = legend.height + Math.floor(i / columns) * frame.height
    return element(
      'g',
      { transform: `translate(${x},${y})` },
      label(frame.left, 17, panel.title, { 'font-weight': panel.strong ? 700 : 600, 'font-size': 12 }),
      drawPanel(panel, stops, ticks, frame),
    )
  })
  const height = legend.height + Math.ceil(panels.length / columns) * frame.height + 6
  return drawing(width, height, title, legend.markup, drawn.join(''))
}

/** In a page each panel is a drawing of its own: as many stand side by side as can be read. */
const PAGE_FRAME: Frame = { ...MARGINS, top: 10, width: 300, height: 200 }
const LONE_FRAME: Frame = { ...PAGE_FRAME, width: 460, height: 260 }

/** The same for a page: panels that wrap, below a legend of words. */
export function linePanels({ title, note, stops, panels }: LineChart): string {
  const frame = panels.length === 1 ? LONE_FRAME : PAGE_FRAME
  const ticks = ticksOf(panels, frame)
  const entries = entriesOf(panels).map(({ label: words, colour, marker, dash }) => {
    const line =
      dash === undefined
        ? []
        : [element('line', { x1: 0, x2: 26, y1: 7, y2: 7, stroke: colour, 'stroke-dasharray': dash })]
    const sign = element('svg', { viewBox: '0 0 26 14', 'aria-hidden': 'true' }, ...line, marker(13, 7, colour))
    return element('li', {}, sign + escapeMarkup(words))
  })
  const legend = element('ul', { class: 'legend' }, ...entries, element('li', { class: 'note' }, escapeMarkup(note)))
  const drawn = panels.map((panel) =>
    element(
      'div',
      {},
      element('p', { class: panel.strong ? 'strong' : undefined }, escapeMarkup(panel.title)),
      drawing(frame.width, frame.height, `${title}: ${panel.title}`, drawPanel(panel, stops, ticks, frame)),
    ),
  )
  const grid = element('div', { class: panels.length === 1 ? 'panels one' : 'panels' }, ...drawn)
  return element('figure', { class: 'figure' }, legend, grid)
}

/** Of one axis for all panels, so that they can be compared. */
function ticksOf(panels: readonly Panel[], frame: Frame): number[] {
  const ends = panels.flatMap(({ levels, series }) => [
    ...levels.map(({ value }) => value),
    ...series.flatMap(({ points }) => points.flatMap(({ mean, sd = 0 }) => [mean - sd, mean + sd])),
  ])
  const shown = ends.map((value) => Math.max(0, Math.min(100, value)))
  return niceTicks(smallest(shown), largest(shown), frame.height > SIZE.height ? 6 : 5)
}

function drawPanel({ levels, series }: Panel, stops: readonly Stop[], ticks: readonly number[], frame: Frame): string {
  const y = linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 100], [frame.height - frame.bottom, frame.top])
  const right = frame.width - frame.right
  const place = linearScale([0, stops.length - 1], [frame.left + 10, right - 6])
  const x = (stop: Stop) => place(stops.indexOf(stop))

  const grid = ticks.map((tick) => {
    const at = y(tick)
    const line = element('line', { x1: frame.left, x2: right, y1: at, y2: at, stroke: COLOURS.grid })
    return (
      line +
      label(frame.left - 5, at + 3.5, String(Number(tick.toFixed(6))), { 'text-anchor': 'end', fill: COLOURS.quiet })
    )
  })
  const axis = stops.map((stop, i) => {
    return label(place(i), frame.height - frame.bottom + 15, String(stop), {
      'text-anchor': 'middle',
      fill: COLOURS.quiet,
    })
  })
  const lines = levels.map(({ value, colour }) => {
    const ends = { x1: place(0), x2: right, y1: y(value), y2: y(value) }
    return element('line', { ...ends, stroke: colour, 'stroke-dasharray': '2 3' })
  })
  return [
    ...grid,
    ...axis,
    ...lines,
    // the first is the most important one: it is drawn last, above the others
    ...[...series].reverse().map((each) => drawSeries(each, x, y)),
    ...levels.map(({ value, colour }) => star(place(0), y(value), colour)),
  ].join('')
}

/** A line through the means, with a whisker of one deviation each way. */
function drawSeries({ points, colour, marker, dash }: Series, x: (stop: Stop) => number, y: Scale): string {
  const placed = points.map((point) => ({ ...point, at: x(point.x) })).sort((a, b) => a.at - b.at)
  const whiskers = placed.flatMap(({ at, mean, sd }) => {
    if (sd === undefined) return []
    const ends = { x1: at, x2: at, y1: y(Math.max(0, mean - sd)), y2: y(Math.min(100, mean + sd)) }
    return [element('line', { ...ends, stroke: colour, 'stroke-opacity': 0.45, 'stroke-width': 1.5 })]
  })
  const line = polyline(
    placed.map(({ at, mean }) => [at, y(mean)]),
    { stroke: colour, 'stroke-width': 1.8, 'stroke-dasharray': dash },
  )
  const marks = placed.map(({ at, mean, ringed }) => {
    const ring = element('circle', { cx: at, cy: y(mean), r: 6.5, fill: 'none', stroke: COLOURS.ink })
    return marker(at, y(mean), colour) + (ringed ? ring : '')
  })
  return [...whiskers, line, ...marks].join('')
}

/** The lines of all panels, each once. */
function entriesOf(panels: readonly Panel[]): Omit<Series, 'points'>[] {
  const levels = panels.flatMap((panel) => panel.levels.map((level) => ({ ...level, marker: star })))
  const all: Omit<Series, 'points'>[] = [...levels, ...panels.flatMap((panel) => panel.series)]
  return [...new Set(all.map(({ label }) => label))].flatMap((words) => all.find(({ label }) => label === words) ?? [])
}

/** The lines of all panels with the note at the end; broken into lines of the drawing's width. */
function drawLegend(panels: readonly Panel[], note: string, width: number): { markup: string; height: number } {
  const start = MARGINS.left + 6
  let x = start
  let y = 14
  const advance = (length: number) => {
    if (x > start && x + length > width) {
      x = start
      y += LEGEND_LINE
    }
    const at = x
    x += length
    return at
  }
  const drawn = entriesOf(panels).map(({ label: words, colour, marker, dash }) => {
    const at = advance(24 + LETTER * words.length)
    const line = dash ? { x1: at - 9, x2: at + 9, y1: y, y2: y, stroke: colour, 'stroke-dasharray': dash } : undefined
    return (line ? element('line', line) : '') + marker(at, y, colour) + label(at + (dash ? 13 : 10), y + 4, words)
  })
  const at = advance(LETTER * note.length)
  drawn.push(label(at === start ? at - 4 : at + 4, y + 4, note, { fill: COLOURS.quiet }))
  return { markup: drawn.join(''), height: y + 20 }
}

const LEGEND_LINE = 18
/** Mean width of a letter of 11 px. */
const LETTER = 6.1

export type Marker = (x: number, y: number, colour: string) => string

export const circle: Marker = (cx, cy, fill) => element('circle', { cx, cy, r: 3, fill })
export const square: Marker = (x, y, fill) => element('rect', { x: x - 2.8, y: y - 2.8, width: 5.6, height: 5.6, fill })
export const triangle: Marker = (x, y, fill) => polygon(x, y, fill, 3, () => 4)
export const diamond: Marker = (x, y, fill) => polygon(x, y, fill, 4, () => 4)
export const star: Marker = (x, y, fill) => polygon(x, y, fill, 10, (i) => (i % 2 === 0 ? 6 : 2.5))

function polygon(x: number, y: number, fill: string, corners: number, radiusOf: (i: number) => number): string {
  const points = Array.from({ length: corners }, (_, i) => {
    const angle = ((2 * Math.PI) / corners) * i - Math.PI / 2
    return `${(x + radiusOf(i) * Math.cos(angle)).toFixed(2)},${(y + radiusOf(i) * Math.sin(angle)).toFixed(2)}`
  })
  return element('polygon', { points: points.join(' '), fill })
}
