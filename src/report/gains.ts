import { COLOURS, drawing, element, label, linearScale, niceTicks } from './svg.ts'
import type { DemoResult } from './types.ts'

const LEFT = 300
const WIDTH = 810
const RIGHT = 56
const TOP = 34
const ROW = 26
const BAR = 16

/** Most shots that were run: what the bars compare. */
export function mostShots(result: DemoResult): number {
  return Math.max(...result.settings.shots)
}

/** Points that CoOp gains over the hand-written prompt, the largest first, as in the paper's Figure 4. */
export function gainFigure(result: DemoResult): string {
  const shots = mostShots(result)
  const gains = result.tasks
    .flatMap(({ title, shift, coop, zeroShot }) => {
      const learned = coop[shots]
      return learned
        ? [{ title: shift ? `${title} (shift of style)` : title, gain: 100 * (learned.mean - zeroShot) }]
        : []
    })
    .sort((a, b) => b.gain - a.gain)
  const values = gains.map(({ gain }) => gain)
  const ticks = niceTicks(Math.min(0, ...values), Math.max(0, ...values), 6)
  const x = linearScale([ticks[0] ?? 0, ticks.at(-1) ?? 1], [LEFT, WIDTH - RIGHT])
  const bottom = TOP + gains.length * ROW

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
  const bars = gains.map(({ title, gain }, i) => {
    const y = TOP + i * ROW + (ROW - BAR) / 2
    const start = Math.min(x(0), x(gain))
    const bar = element('rect', {
      x: start,
      y,
      width: Math.abs(x(gain) - x(0)),
      height: BAR,
      fill: gain < 0 ? COLOURS.csc : COLOURS.coop,
    })
    const after = Math.max(x(0), x(gain)) + 5
    return (
      bar +
      label(LEFT - 8, y + 12, title, { 'text-anchor': 'end' }) +
      label(after, y + 12, signed(gain, 1), { 'font-weight': 600 })
    )
  })
  const heading = label(LEFT, 18, `Points gained over the hand-written prompt at ${shots} shots (one context)`, {
    'font-weight': 600,
  })
  return drawing(
    WIDTH,
    bottom + 24,
    `Points gained over hand-written prompts at ${shots} shots`,
    heading,
    ...grid,
    ...bars,
  )
}

const signed = (points: number, digits: number): string => `${points > 0 ? '+' : ''}${points.toFixed(digits)}`
