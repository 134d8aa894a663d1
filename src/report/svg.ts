import { visibleText } from '../base/visible.ts'

/** Those that are undefined are not written. */
type Attributes = Readonly<Record<string, string | number | undefined>>

/** Text that is safe in HTML or SVG, between tags or in an attribute. */
export function escapeMarkup(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** An element of SVG or HTML; `children` are markup already. */
export function element(name: string, attributes: Attributes = {}, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => {
    if (value === undefined) return ''
    return ` ${key}="${typeof value === 'number' ? round(value) : escapeMarkup(value)}"`
  })
  const open = `<${name}${written.join('')}`
  return children.length === 0 ? `${open}/>` : `${open}>${children.join('')}</${name}>`
}

export function label(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escapeMarkup(text))
}

export function polyline(points: readonly (readonly [number, number])[], attributes: Attributes): string {
  return element('polyline', {
    points: points.map(([x, y]) => `${round(x)},${round(y)}`).join(' '),
    fill: 'none',
    ...attributes,
  })
}

/** A whole drawing on white, so that it can be read on a dark page too. */
export function drawing(width: number, height: number, title: string, ...children: readonly string[]): string {
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      width,
      height,
      role: 'img',
      'font-family': 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
      'font-size': 11,
      fill: COLOURS.ink,
    },
    element('title', {}, escapeMarkup(title)),
    element('rect', { width, height, fill: '#ffffff' }),
    ...children,
  )
}

/** From values to pixels. */
export type Scale = (value: number) => number

export function linearScale([from, to]: readonly [number, number], [start, end]: readonly [number, number]): Scale {
  const span = to - from || 1
  return (value) => start + ((value - from) / span) * (end - start)
}

/** Round values that cover `low` to `high` (at least 1 apart), about `count` of them, a step of 1, 2 or 5 times a power of ten. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const rough = Math.max(high - low, 1) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  const first = Math.floor(low / step)
  const last = Math.ceil(Math.max(high, low + 1) / step)
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
}

export const COLOURS = {
  ink: '#1f2328',
  quiet: '#6e7781',
  grid: '#e4e7eb',
  coop: '#0b62d6',
  csc: '#d4530c',
  zeroShot: '#7a3fb0',
  published: '#a8b0b9',
} as const

const round = (value: number): number => Math.round(value * 100) / 100
