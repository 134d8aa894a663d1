import { wilsonInterval } from '../../base/wilson.ts'
import type { ClassRow, PictureRow } from './types.ts'

/**
 * Classes of the judged pictures, the one that needs pictures most first. Of its right answers R, its pictures missed M and
 * the pictures wrongly taken for it W, a class errs in
 *
 *     e = (M + W + 1) / (R + M + W + 2)
 *
 * (by Laplace's rule, as few pictures say little); errors fall about as 1 / sqrt(n) with its n training pictures, so that one more
 * takes e / 2n away: need = e / max(1, n).
 */
export function classRows(
  names: readonly string[],
  rows: readonly PictureRow[],
  judged: readonly PictureRow[],
): ClassRow[] {
  const counts = new Map(
    names.map((name) => [
      name,
      { trained: 0, right: 0, missed: 0, wronglyGiven: 0, takenFor: new Map<string, number>() },
    ]),
  )
  for (const { label, part } of rows) if (part === 'train') counts.get(label)!.trained++
  for (const { label, answer } of judged) {
    const own = counts.get(label)!
    if (label === answer) own.right++
    else {
      own.missed++
      own.takenFor.set(answer, (own.takenFor.get(answer) ?? 0) + 1)
      counts.get(answer)!.wronglyGiven++
    }
  }
  const found = [...counts].map(([label, { trained, right, missed, wronglyGiven, takenFor }]): ClassRow => {
    const tested = right + missed
    const errs = (missed + wronglyGiven + 1) / (tested + wronglyGiven + 2)
    const [most] = [...takenFor].sort(([, a], [, b]) => b - a)
    return {
      label,
      trained,
      tested,
      accuracy: tested === 0 ? null : right / tested,
      interval: tested === 0 ? null : wilsonInterval(right, tested),
      wronglyGiven,
      takenFor: most?.[0] ?? null,
      need: errs / Math.max(1, trained),
    }
  })
  return found.sort((a, b) => b.need - a.need)
}
