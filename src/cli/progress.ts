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
}

interface Phase {
  readonly kind: ProgressKind
  readonly total: number
  readonly startedAt: number
  /** `done` of the first event: a resumed run starts above zero and must not look fast for it. */
  readonly startedFrom: number
  readonly done: number
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
export function createProgressPrinter(terminal: Terminal, now: () => number = Date.now): ProgressPrinter {
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
      phase =
        isNew || !phase
          ? { kind: event.kind, total: event.total, startedAt: time, startedFrom: event.done, done: event.done }
          : { ...phase, done: event.done }
      if (isNew) shownAt = isTTY ? Number.NEGATIVE_INFINITY : time
      const isLast = event.done >= event.total
      if (!isLast && time - shownAt < (isTTY ? REDRAW_MS : LINE_EVERY_MS)) return
      shownAt = time
      const line = visible(progressLine(event, time - phase.startedAt, event.done - phase.startedFrom))
      if (!isTTY) terminal.write(`${line}\n`)
      else
        terminal.write(`${CLEAR_LINE}${line.slice(0, (terminal.columns || DEFAULT_COLUMNS) - 1)}${isLast ? '\n' : ''}`)
    },
    say(text) {
      clear()
      terminal.write(`${visibleText(text)}\n`)
      shownAt = Number.NEGATIVE_INFINITY
    },
    clear,
  }
}

/**
 * `training    [=====>      ] 120/400, loss 1.234, 0:42 left`
 * @param elapsed milliseconds since the phase began
 * @param advanced how much of `done` was done in that time
 */
export function progressLine(event: Progress, elapsed: number, advanced: number): string {
  const share = event.total > 0 ? Math.min(1, event.done / event.total) : 1
  const filled = Math.round(share * BAR_WIDTH)
  const parts = [`[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${amount(event)}`]
  if (event.kind === 'download' && elapsed > 0 && advanced > 0) parts.push(`${byteText((1000 * advanced) / elapsed)}/s`)
  if ('loss' in event && event.loss !== undefined) parts.push(`loss ${event.loss.toFixed(3)}`)
  if (share === 1) parts.push(`${duration(elapsed)} in all`)
  else if (event.kind === 'sweep') {
    if (event.secondsLeft !== undefined) parts.push(`${duration(1000 * event.secondsLeft)} left`)
  } else if (advanced > 0) parts.push(`${duration((elapsed / advanced) * (event.total - event.done))} left`)
  // last, because a narrow terminal cuts the end off
  if ('detail' in event && event.detail !== undefined) parts.push(event.detail)
  return `${LABELS[event.kind]} ${parts.join(', ')}`
}

const amount = ({ kind, done, total }: Progress): string =>
  kind === 'download' ? `${byteText(done)} of ${byteText(total)}` : `${done}/${total}`
