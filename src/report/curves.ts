import { COLOURS, drawing, element, label, linearScale, niceTicks, polyline, type Scale } from './svg.ts'
import type { Curve, DemoResult } from './types.ts'

/** What one panel shows; accuracies are fractions of 1. */
interface Panel {
  readonly title: string
  readonly zeroShot: number
  readonly coop: Curve
  readonly coopCsc: Curve
}

const PANEL = { width: 236, height: 188, left: 34, right: 12, top: 28, bottom: 34 }
const LEGEND_HEIGHT = 34
const COLUMNS = 4

/** Accuracy over shots, the average first and then a panel a task, as in the paper's Figure 3. */
export function fewShotFigure(result: DemoResult): string {
  const mean: Panel = { ...result, title: `Average over ${result.tasks.filter((task) => !task.shift).length} tasks` }
  const tasks = result.tasks.map((task) => ({
    ...task,
    title: task.shift ? `${task.title} (shift of style)` : task.title,
  }))
  const panels = [mean, ...tasks]
  const columns = Math.min(COLUMNS, panels.length)
  const drawn = panels.map((panel, i) => {
    const x = (i % columns) * PANEL.width
    const y = LEGEND_HEIGHT + Math.floor(i / columns) * PANEL.height
    return element('g', { transform: `translate(${x},${y})` }, drawPanel(panel, result.settings.shots, i === 0))
  })
  const height = LEGEND_HEIGHT + Math.ceil(panels.length / columns) * PANEL.height + 6
  return drawing(columns * PANEL.width, height, 'Accuracy over training images of each class', legend(), ...drawn)
}

function drawPanel({ title, zeroShot, coop, coopCsc }: Panel, shots: readonly number[], strong: boolean): string {
  const values = [coop, coopCsc].flatMap((curve) =>
    Object.values(curve).flatMap(({ mean, sd }) => [mean - sd, mean + sd]),
  )
  const shown = [zeroShot, ...values].map((value) => 100 * Math.max(0, Math.min(1, value)))
  const ticks = niceTicks(Math.min(...shown), Math.max(...shown), 4)
  const y = linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 100], [PANEL.height - PANEL.bottom, PANEL.top])
  const right = PANEL.width - PANEL.right
  // 0, 1, 2, 4, 8, 16 stand evenly: a step to the right doubles the pictures
  const stops = [0, ...shots]
  const x = linearScale([0, stops.length - 1], [PANEL.left + 10, right - 6])
  const xOf: Scale = (count) => x(stops.indexOf(count))

  const grid = ticks.map((tick) => {
    const at = y(tick)
    const line = element('line', { x1: PANEL.left, x2: right, y1: at, y2: at, stroke: COLOURS.grid })
    return (
      line +
      label(PANEL.left - 5, at + 3.5, String(Number(tick.toFixed(6))), { 'text-anchor': 'end', fill: COLOURS.quiet })
    )
  })
  const axis = stops.map((stop, i) => {
    return label(x(i), PANEL.height - PANEL.bottom + 15, String(stop), { 'text-anchor': 'middle', fill: COLOURS.quiet })
  })
  const zeroY = y(100 * zeroShot)
  return [
    label(PANEL.left, 17, title, { 'font-weight': strong ? 700 : 600, 'font-size': 12 }),
    ...grid,
    ...axis,
    element('line', {
      x1: xOf(0),
      x2: right,
      y1: zeroY,
      y2: zeroY,
      stroke: COLOURS.zeroShot,
      'stroke-dasharray': '2 3',
    }),
    drawCurve(coopCsc, COLOURS.csc, square, xOf, y),
    drawCurve(coop, COLOURS.coop, circle, xOf, y),
    star(xOf(0), zeroY, COLOURS.zeroShot),
  ].join('')
}

type Marker = (x: number, y: number, colour: string) => string

const circle: Marker = (cx, cy, fill) => element('circle', { cx, cy, r: 3, fill })
const square: Marker = (x, y, fill) => element('rect', { x: x - 2.8, y: y - 2.8, width: 5.6, height: 5.6, fill })
const star: Marker = (x, y, fill) => {
  const points = Array.from({ length: 10 }, (_, i) => {
    const radius = i % 2 === 0 ? 6 : 2.5
    const angle = (Math.PI / 5) * i - Math.PI / 2
    return `${(x + radius * Math.cos(angle)).toFixed(2)},${(y + radius * Math.sin(angle)).toFixed(2)}`
  })
  return element('polygon', { points: points.join(' '), fill })
}

/** A line through the means, with a whisker of one deviation each way. */
function drawCurve(curve: Curve, colour: string, marker: Marker, x: Scale, y: Scale): string {
  const points = Object.entries(curve).map(([shots, accuracy]) => ({ x: x(Number(shots)), ...accuracy }))
  points.sort((a, b) => a.x - b.x)
  const whiskers = points.map(({ x: at, mean, sd }) => {
    const ends = { x1: at, x2: at, y1: y(100 * (mean - sd)), y2: y(100 * Math.min(1, mean + sd)) }
    return element('line', { ...ends, stroke: colour, 'stroke-opacity': 0.45, 'stroke-width': 1.5 })
  })
  const line = polyline(
    points.map(({ x: at, mean }) => [at, y(100 * mean)]),
    { stroke: colour, 'stroke-width': 1.8 },
  )
  return [...whiskers, line, ...points.map(({ x: at, mean }) => marker(at, y(100 * mean), colour))].join('')
}

function legend(): string {
  const entries: readonly [Marker, string, string][] = [
    [star, COLOURS.zeroShot, 'zero-shot, hand-written prompt'],
    [circle, COLOURS.coop, 'CoOp, one context'],
    [square, COLOURS.csc, 'CoOp, a context for each class'],
  ]
  let x = PANEL.left + 6
  const drawn = entries.map(([marker, colour, text]) => {
    const at = x
    x += 24 + 6.1 * text.length
    return marker(at, 14, colour) + label(at + 10, 18, text)
  })
  return drawn.join('') + label(x + 4, 18, 'accuracy in % over images of each class', { fill: COLOURS.quiet })
}
