import { countOf } from '../../../base/count.ts'
import { largest } from '../../../base/extremes.ts'
import { barLines } from '../../../report/bar-chart.ts'
import type { DemoResult } from './types.ts'

/** Most shots that were run: what the bars compare. */
export function mostShots(result: DemoResult): number {
  return largest(result.settings.shots)
}

/** Points that CoOp gains over the hand-written prompt on each task of the demo. */
export function gainFigure(result: DemoResult): string {
  const shots = mostShots(result)
  const bars = result.tasks.flatMap(({ title, shift, coop, zeroShot }) => {
    const learned = coop[shots]
    const label = shift ? `${title} (shift of style)` : title
    return learned ? [{ label, value: 100 * (learned.mean - zeroShot) }] : []
  })
  return barLines(`Points gained over the hand-written prompt at ${countOf(shots, 'shot')} (one context)`, bars)
}
