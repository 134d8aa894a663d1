import type { Row } from './groups.ts'
import { circle, diamond, type Marker, type Series, square, triangle } from './line-chart.ts'
import { paperVariant } from './published.ts'
import { COLOURS } from './svg.ts'

export type Style = Pick<Series, 'colour' | 'marker' | 'dash'>

/** What the paper's figures show looks the same in every figure. */
const KNOWN: Readonly<Record<string, Style>> = {
  end: { colour: COLOURS.coop, marker: circle },
  middle: { colour: '#1a7f37', marker: triangle },
  front: { colour: '#0a7ea4', marker: diamond },
  'end, class-specific': { colour: COLOURS.csc, marker: square },
  'middle, class-specific': { colour: '#b62324', marker: diamond },
  'front, class-specific': { colour: '#9a6700', marker: triangle },
  'linear probe': { colour: COLOURS.zeroShot, marker: circle, dash: '5 3' },
}

const OTHERS: readonly { colour: string; marker: Marker }[] = [
  { colour: '#bf3989', marker: square },
  { colour: '#4d7c0f', marker: diamond },
  { colour: '#57606a', marker: triangle },
  { colour: '#8250df', marker: square },
  { colour: '#c2410c', marker: triangle },
  { colour: '#0e7490', marker: square },
]

/** A style for each row, no two alike where there are enough. */
export function stylesOf(rows: readonly Row[]): Map<Row, Style> {
  const styles = new Map<Row, Style>()
  const used = new Set<string>()
  for (const row of rows) {
    const variant = paperVariant(row)
    const known = variant === undefined ? undefined : KNOWN[variant]
    if (known === undefined || variant === undefined || used.has(variant)) continue
    used.add(variant)
    styles.set(row, known)
  }
  const rest = rows.filter((row) => !styles.has(row))
  rest.forEach((row, i) => {
    const style = OTHERS[i % OTHERS.length] ?? { colour: COLOURS.ink, marker: circle }
    const round = Math.floor(i / OTHERS.length)
    styles.set(row, round === 0 ? style : { ...style, dash: `${6 - round} 3` })
  })
  return styles
}

/** Blues from light to dark, all of which can be seen on white and on black, for lines that are steps of one quantity. */
export function ramp(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 1 : i / (count - 1)
    const mix = (from: number, to: number) => Math.round(from + (to - from) * share)
    return `rgb(${mix(150, 20)},${mix(195, 80)},${mix(245, 175)})`
  })
}
