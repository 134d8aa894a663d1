import stringWidth from 'string-width'
import type { Progress, ProgressKind } from '../base/progress.ts'
import { visible, visibleText } from '../base/visible.ts'
import { byteText } from '../node/byte-text.ts'
import { duration } from '../report/text.ts'

const LABELS: Record<ProgressKind, string> = {
  render: 'rendering pictures',
  unpack: 'unpacking images',
  features: 'image features',
  evaluate: 'evaluating',
  search: 'choosing settings',
  train: 'training',
  folds: 'learning without a part of the pictures',
  pretrain: 'training CLIP',
  demo: 'demo',
  sweep: 'sweep',
  download: 'downloading',
}

const REDRAW_MS = 100
const LINE_EVERY_MS = 10_000
/** Taken where a terminal does not tell its width, or tells 0. */
const DEFAULT_COLUMNS = 80
const BAR_WIDTH = 24
const SHORT_BAR = 8
const CLEAR_LINE = '\r\u001b[K'

/** Where progress goes: standard error, or a stand-in in tests. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Where a command writes: results and help on the one, progress, warnings and errors on the other. */
export interface Output {
  readonly stdout: Pick<Terminal, 'write'>
  readonly stderr: Terminal
  /** Where a person at a terminal answers; left out: nobody is asked. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean }
}

/** How far a phase was at a time in milliseconds. */
interface Mark {
  readonly at: number
  readonly done: number
}

interface Phase {
  readonly kind: ProgressKind
  readonly total: number
  readonly done: number
  /** The first event (a resumed run starts above zero and must not look fast for it), and later ones from half the time since. */
  readonly start: Mark
  readonly marks: Mark[]
}

/** What a line tells the speed from, milliseconds. */
export interface Pace {
  /** Since the phase began. */
  readonly elapsed: number
  /** How much was done in the later part of it, and how long that part is. */
  readonly recent: { readonly ms: number; readonly done: number }
}

export interface ProgressPrinter {
  show(event: Progress): void
  /** Prints a line of text without tearing the progress line. */
  say(text: string): void
  /** Removes the progress line. */
  clear(): void
}

/**
 * Shows how far work is: on a terminal one line that is redrawn, elsewhere a line now and then.
 * @param now milliseconds, for tests
 */
export function createProgressPrinter(
  terminal: Terminal,
  now: () => number = () => performance.now(),
): ProgressPrinter {
  const isTTY = terminal.isTTY === true
  let phase: Phase | undefined
  let shownAt = Number.NEGATIVE_INFINITY

  const clear = () => {
    if (isTTY) terminal.write(CLEAR_LINE)
  }
  return {
    show(event) {
      const time = now()
      const isNew = !phase || phase.kind !== event.kind || phase.total !== event.total || event.done < phase.done
      phase = isNew || !phase ? newPhase(event, { at: time, done: event.done }) : { ...phase, done: event.done }
      if (isNew) shownAt = isTTY ? Number.NEGATIVE_INFINITY : time
      const isLast = event.done >= event.total
      if (!isLast && time - shownAt < (isTTY ? REDRAW_MS : LINE_EVERY_MS)) return
      shownAt = time
      const pace = paceOf(phase, time)
      if (!isTTY) terminal.write(`${visible(progressLine(event, pace))}\n`)
      else {
        const line = visible(progressLine(event, pace, (terminal.columns || DEFAULT_COLUMNS) - 1))
        terminal.write(`${CLEAR_LINE}${line}${isLast ? '\n' : ''}`)
      }
    },
    say(text) {
      clear()
      terminal.write(`${visibleText(text)}\n`)
      shownAt = Number.NEGATIVE_INFINITY
    },
    clear,
  }
}

const newPhase = ({ kind, total, done }: Progress, start: Mark): Phase => ({ kind, total, done, start, marks: [start] })

/**
 * The later half of a phase tells its speed: the first pictures may have come from the cache, and the first step waits
 * for a program to be loaded.
 */
function paceOf({ start, marks, done }: Phase, time: number): Pace {
  const elapsed = time - start.at
  while (marks[1] !== undefined && time - marks[1].at >= elapsed / 2) marks.shift()
  marks.push({ at: time, done })
  const from = marks[0] ?? start
  return { elapsed, recent: { ms: time - from.at, done: done - from.done } }
}

/** Before this much time nothing is said of the time left: what it would be told from is mostly the start. */
const KNOWN_MS = 3000

/**
 * `training [=====>      ] 120/400, loss 1.234, 0:42 left`, of at most `width` columns: where these are too few, first
 * the detail at its end is cut, then the bar, the label and the other figures go; count and time left stay.
 */
export function progressLine(event: Progress, pace: Pace, width = Number.POSITIVE_INFINITY): string {
  const { elapsed, recent } = pace
  const share = event.total > 0 ? Math.min(1, event.done / event.total) : 1
  const bar = (columns: number) => {
    const filled = Math.round(share * columns)
    return `[${'='.repeat(filled)}${' '.repeat(columns - filled)}] `
  }
  const figures: string[] = []
  if (event.kind === 'download' && recent.ms > 0 && recent.done > 0)
    figures.push(`${byteText((1000 * recent.done) / recent.ms)}/s`)
  if ('loss' in event && event.loss !== undefined) figures.push(`loss ${event.loss.toFixed(3)}`)
  const left = share === 1 ? [`${duration(elapsed)} in all`] : timeLeft(event, pace)
  const label = `${LABELS[event.kind]} `
  const detail = 'detail' in event && event.detail !== undefined ? `, ${event.detail}` : ''
  const line = (head: string, more: readonly string[]) => `${head}${[amount(event), ...more, ...left].join(', ')}`
  const whole = line(label + bar(BAR_WIDTH), figures)
  if (stringWidth(whole) <= width) return whole + cut(detail, width - stringWidth(whole))
  const shorter = [
    line(label + bar(SHORT_BAR), figures),
    line(label, figures),
    line('', figures),
    line('', []),
    left.join(),
  ]
  return shorter.find((text) => stringWidth(text) <= width) ?? cut(line('', []), width)
}

function timeLeft(event: Progress, { elapsed, recent }: Pace): string[] {
  if (event.kind === 'sweep')
    return event.secondsLeft === undefined ? [] : [`about ${duration(1000 * event.secondsLeft)} left`]
  if (elapsed < KNOWN_MS || recent.done <= 0) return []
  return [`${duration((recent.ms / recent.done) * (event.total - event.done))} left`]
}

const ELLIPSIS = '...'

/** The start of a text, no wider than `width` columns; an ellipsis says that something is missing. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let short = ''
  for (const letter of text) {
    if (stringWidth(short + letter) > width - ELLIPSIS.length) break
    short += letter
  }
  return short.length > 2 ? short + ELLIPSIS : ''
}

const amount = ({ kind, done, total }: Progress): string =>
  kind === 'download' ? `${byteText(done)} of ${byteText(total)}` : `${done}/${total}`
