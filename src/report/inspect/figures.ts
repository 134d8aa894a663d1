import type { InspectionTables, Judged } from '../../trained/inspect/types.ts'
import { barLine, barList, between } from '../bar-chart.ts'
import type { Copies } from '../pictures.ts'
import { COLOURS, drawing, element, escapeMarkup, label, linearScale, type Scale } from '../svg.ts'
import { percent } from '../text.ts'
import type { Shown } from './shown.ts'

/** The run beside hand-written prompts and guessing, on one scale from 0 to 100 %. */
export function scoreFigure({ accuracy, interval: [low, high], zeroShot, chance, leftOut, seen }: Judged): string {
  const bar = (value: number, className?: string) =>
    element('i', { class: className, style: between(0, 100 * value) }, '')
  const range = element('b', { style: between(100 * low, 100 * high) }, '')
  const others =
    seen && leftOut !== null
      ? [barLine('nearest class mean, each picture left out', bar(leftOut, 'plain'), percent(leftOut))]
      : []
  return element(
    'figure',
    { class: 'figure' },
    barList([
      barLine('this run', bar(accuracy) + range, percent(accuracy)),
      ...others,
      barLine('hand-written prompts', bar(zeroShot, 'hand'), percent(zeroShot)),
      barLine('the most frequent class every time', bar(chance, 'plain'), percent(chance)),
    ]),
  )
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 300, 44, 18, 12, 48]

/** Share of right answers over the probability that the run gave them. */
export function reliabilityFigure({ bins, error }: InspectionTables['reliability']): string {
  const x = linearScale([0, 1], [LEFT, WIDTH - RIGHT])
  const y = linearScale([0, 1], [HEIGHT - BOTTOM, TOP])
  const most = bins.reduce((sum, { count }) => Math.max(sum, count), 1)
  const quiet = { fill: COLOURS.quiet, 'font-size': 13.5 }
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((at) => [
    element('line', { x1: x(0), x2: x(1), y1: y(at), y2: y(at), stroke: COLOURS.grid }),
    label(x(0) - 6, y(at) + 4, String(100 * at), { ...quiet, 'text-anchor': 'end' }),
    label(x(at), y(0) + 18, String(100 * at), { ...quiet, 'text-anchor': 'middle' }),
  ])
  const bars = bins.map(({ from, to, accuracy, count }) =>
    element(
      'rect',
      {
        ...{ x: x(from) + 1, y: y(accuracy), width: x(to) - x(from) - 2, height: y(0) - y(accuracy) },
        ...{ fill: COLOURS.coop, 'fill-opacity': 0.35 + (0.65 * count) / most },
      },
      element('title', {}, `${percent(from)} to ${percent(to)}: ${percent(accuracy)} right of ${count}`),
    ),
  )
  const gaps = bins.map(({ from, to, confidence }) =>
    element('line', {
      ...{ x1: x(from) + 1, x2: x(to) - 1, y1: y(confidence), y2: y(confidence) },
      ...{ stroke: COLOURS.csc, 'stroke-width': 2.5 },
    }),
  )
  const even = element('line', {
    x1: x(0),
    y1: y(0),
    x2: x(1),
    y2: y(1),
    stroke: COLOURS.quiet,
    'stroke-dasharray': '4 4',
  })
  const axis = label((x(0) + x(1)) / 2, HEIGHT - 8, 'probability that the run gave its answer, %', {
    ...quiet,
    'text-anchor': 'middle',
  })
  const svg = drawing(
    WIDTH,
    HEIGHT,
    `Reliability diagram; expected calibration error ${percent(error)}`,
    ...grid,
    ...bars,
    ...gaps,
    even,
    axis,
  )
  return element('figure', { class: 'figure narrow' }, svg)
}

const SIDE = 640

/** Where pictures lie: a dot each, right ones and wrong ones, some of them as pictures, and where the classes are. */
export function mapFigure(tables: InspectionTables, { spots }: Shown, copies: Copies): string {
  const { map, pictures } = tables
  const at = linearScale([0, 1], [26, SIDE - 26])
  const dots = map.map(({ picture, x, y }) => {
    const { label: is, answer, file } = pictures[picture] ?? { label: '', answer: '', file: '' }
    const right = is === answer
    const title = element('title', {}, escapeMarkup(right ? `${is} (${file})` : `${is}, taken for ${answer} (${file})`))
    const place = { cx: at(x), cy: at(y), r: right ? 3.2 : 4.2 }
    return element(
      'circle',
      { ...place, fill: right ? '#1a7f37' : COLOURS.csc, 'fill-opacity': right ? 0.55 : 0.9 },
      title,
    )
  })
  const svg = drawing(SIDE, SIDE, 'Map of the pictures: those near each other look alike to the model', ...dots)
  const copied = spots
    .filter(({ picture }) => copies.has(picture))
    .map(({ picture, x, y }) => {
      const { label: is = '', answer = '' } = pictures[picture] ?? {}
      const style = placed(at(x) / SIDE, at(y) / SIDE)
      const about = is === answer ? is : `${is}, taken for ${answer}`
      return element(
        'span',
        {
          class: `spot p${picture}${is === answer ? '' : ' miss'}`,
          style,
          role: 'img',
          'aria-label': about,
          title: about,
        },
        '',
      )
    })
  return element(
    'figure',
    { class: 'figure narrow' },
    element('div', { class: 'map' }, svg, ...copied, ...namesOnMap(tables, at)),
  )
}

/** Shares of the map that a letter is wide, and a line high, on a phone. */
const [LETTER, LINE] = [0.021, 0.06]

/** Names of classes in the middle of their pictures, those of most pictures first, as far as none covers another. */
function namesOnMap({ map, pictures }: InspectionTables, at: Scale): string[] {
  const places = new Map<string, { xs: number[]; ys: number[] }>()
  for (const { picture, x, y } of map) {
    const name = pictures[picture]?.label ?? ''
    const { xs, ys } = places.get(name) ?? { xs: [], ys: [] }
    xs.push(x)
    ys.push(y)
    places.set(name, { xs, ys })
  }
  const taken: { x: number; y: number; half: number }[] = []
  return [...places]
    .sort(([, a], [, b]) => b.xs.length - a.xs.length)
    .flatMap(([whole, { xs, ys }]) => {
      const name = whole.length > MOST_LETTERS ? `${whole.slice(0, MOST_LETTERS - 1)}…` : whole
      const half = (LETTER * (name.length + 1)) / 2
      const x = Math.max(half, Math.min(1 - half, at(medianOf(xs)) / SIDE))
      const y = at(medianOf(ys)) / SIDE
      if (taken.some((other) => Math.abs(x - other.x) < half + other.half && Math.abs(y - other.y) < LINE)) return []
      taken.push({ x, y, half })
      return [element('span', { class: 'place', style: placed(x, y) }, escapeMarkup(name))]
    })
}

const MOST_LETTERS = 22

const placed = (x: number, y: number): string => `left: ${(100 * x).toFixed(1)}%; top: ${(100 * y).toFixed(1)}%`

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
