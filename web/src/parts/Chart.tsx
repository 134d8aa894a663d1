import type { Learning, Point } from '../state/learning.ts'

const [WIDTH, HEIGHT] = [440, 210]
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 62, 12, 22]

interface Props {
  readonly curve?: Learning
  /** Accuracy of the hand-written prompt. */
  readonly byHand?: number
}

/** Held-out accuracy and loss over the steps, and the hand-written prompt's accuracy to compare with. */
export function Chart({ curve, byHand }: Props) {
  const { losses = [], accuracies = [], steps = 100 } = curve ?? {}
  const most = Math.max(...losses.map(({ value }) => value), 1)
  const x = (step: number) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / Math.max(1, steps)
  const y = (share: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
  const line = (points: readonly Point[], top = 1) =>
    points.map(({ step, value }) => `${x(step).toFixed(1)},${y(value / top).toFixed(1)}`).join(' ')
  const last = accuracies.at(-1)
  const isClose = (a: number, b: number | undefined) => b !== undefined && Math.abs(y(a) - y(b)) < 11
  const lastLoss = losses.at(-1)
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={wordsOf(curve)}>
      {[0, 0.25, 0.5, 0.75, 1].map((share) => (
        <g key={share}>
          <line class="rule" x1={LEFT} x2={WIDTH - RIGHT} y1={y(share)} y2={y(share)} />
          {share !== 0.25 && share !== 0.75 && (
            <text class="tick" x={LEFT - 8} y={y(share) + 3.5} text-anchor="end">
              {100 * share}
            </text>
          )}
        </g>
      ))}
      <text class="tick" x={x(0)} y={HEIGHT - 5}>
        0
      </text>
      <text class="tick" x={x(steps)} y={HEIGHT - 5} text-anchor="end">
        {steps} steps
      </text>
      {byHand !== undefined && !Number.isNaN(byHand) && (
        <>
          <line class="by-hand" x1={LEFT} x2={WIDTH - RIGHT} y1={y(byHand)} y2={y(byHand)} />
          <text class="label hand" x={WIDTH - RIGHT + 6} y={y(byHand) + 3.5}>
            by hand
          </text>
        </>
      )}
      {losses.length > 1 && <polyline class="loss-line" points={line(losses, most)} />}
      {lastLoss && losses.length > 1 && (
        <text
          class="label"
          x={Math.min(x(lastLoss.step) + 6, WIDTH - RIGHT + 6)}
          y={y(lastLoss.value / most) + (isClose(lastLoss.value / most, byHand) ? 14 : 3.5)}
        >
          loss
        </text>
      )}
      {accuracies.length > 1 && <polyline class="accuracy-line" points={line(accuracies)} />}
      {last && (
        <>
          <circle class="dot" cx={x(last.step)} cy={y(last.value)} r="4" />
          <text class="label learned" x={Math.min(x(last.step) + 8, WIDTH - RIGHT + 8)} y={y(last.value) + 3.5}>
            learned
          </text>
        </>
      )}
      {!curve && (
        <text class="empty" x={(LEFT + WIDTH - RIGHT) / 2} y={y(0.5) - 8} text-anchor="middle">
          The curves appear here
        </text>
      )}
    </svg>
  )
}

function wordsOf(curve: Learning | undefined): string {
  const [first, last] = [curve?.losses[0], curve?.losses.at(-1)]
  if (!first || !last) return 'Loss and held-out accuracy by step; nothing was learned yet'
  return `Loss from ${first.value.toFixed(2)} to ${last.value.toFixed(2)} in ${last.step} steps`
}
