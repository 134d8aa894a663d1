import { largest, smallest } from '../base/extremes.ts'
import { COLOURS, drawing, element, escapeMarkup, label, linearScale, niceTicks } from './svg.ts'

export interface Bar {
  readonly label: string
  /** Points of accuracy, gained or lost. */
  readonly value: number
}

const LEFT = 300
const WIDTH = 810
const RIGHT = 56
const TOP = 34
const ROW = 26
const BAR = 16

/** Horizontal bars from 0, the largest first, as in the paper's Figure 4: a drawing for a file. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const { sorted, ticks } = ranked(bars)
  const x = linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 1], [LEFT, WIDTH - RIGHT])
  const bottom = TOP + sorted.length * ROW

  const grid = ticks.map((tick) => {
    const line = element('line', {
      x1: x(tick),
      x2: x(tick),
      y1: TOP - 4,
      y2: bottom,
      stroke: tick === 0 ? COLOURS.quiet : COLOURS.grid,
    })
    return line + label(x(tick), bottom + 15, signed(tick, 0), { 'text-anchor': 'middle', fill: COLOURS.quiet })
  })
  const drawn = sorted.map(({ label: words, value }, i) => {
    const y = TOP + i * ROW + (ROW - BAR) / 2
    const bar = element('rect', {
      x: Math.min(x(0), x(value)),
      y,
      width: Math.abs(x(value) - x(0)),
      height: BAR,
      fill: value < 0 ? COLOURS.csc : COLOURS.coop,
    })
    const after = Math.max(x(0), x(value)) + 5
    return (
      bar +
      label(LEFT - 8, y + 12, words, { 'text-anchor': 'end' }) +
      label(after, y + 12, signed(value, 1), { 'font-weight': 600 })
    )
  })
  return drawing(
    WIDTH,
    bottom + 24,
    title,
    label(LEFT, 18, title, { 'font-weight': 600 }),
    grid.join(''),
    drawn.join(''),
  )
}

/** The same for a page, as lines of words. */
export function barLines(title: string, bars: readonly Bar[]): string {
  const { sorted, ticks } = ranked(bars)
  const place = linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 1], [0, 100])
  const lines = sorted.map(({ label: words, value }) => {
    const [from, to] = [Math.min(place(0), place(value)), Math.max(place(0), place(value))]
    const bar = element('i', { class: value < 0 ? 'loss' : undefined, style: between(from, to) }, '')
    const zero = element('u', { style: `left: ${place(0).toFixed(2)}%` }, '')
    return barLine(words, zero + bar, signed(value, 1))
  })
  return element('figure', { class: 'figure' }, element('figcaption', {}, escapeMarkup(title)), barList(lines))
}

/** A line of bars: what it is about, its track (markup), its value. */
export const barLine = (words: string, track: string, value: string): string =>
  element(
    'li',
    {},
    element('span', {}, escapeMarkup(words)),
    element('span', { class: 'track' }, track),
    element('span', { class: 'value' }, escapeMarkup(value)),
  )

export const barList = (lines: readonly string[]): string => element('ul', { class: 'bars' }, ...lines)

/** Where a bar lies on its track, in % of it. */
export const between = (from: number, to: number): string =>
  `left: ${from.toFixed(2)}%; width: ${(to - from).toFixed(2)}%`

function ranked(bars: readonly Bar[]): { readonly sorted: readonly Bar[]; readonly ticks: readonly number[] } {
  const sorted = [...bars].sort((a, b) => b.value - a.value)
  const values = sorted.map(({ value }) => value)
  return { sorted, ticks: niceTicks(Math.min(0, smallest(values)), Math.max(0, largest(values)), 6) }
}

export const signed = (points: number, digits: number): string => `${points > 0 ? '+' : ''}${points.toFixed(digits)}`
