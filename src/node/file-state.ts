import type { Stats } from 'node:fs'

/** All that changes when a file's content does: its number, size and times of change. */
export const fileState = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string =>
  [dev, ino, size, mtimeMs, ctimeMs].join(' ')

/** Whether a change after `since` (milliseconds) would show in a file's state. */
export function isSettled({ mtimeMs, ctimeMs }: Pick<Stats, 'mtimeMs' | 'ctimeMs'>, since: number): boolean {
  const last = Math.max(mtimeMs, ctimeMs)
  return last < since - grainOf(last)
}

/**
 * Milliseconds within which a file system may give two changes the same time: up to two seconds (FAT) where it keeps whole
 * seconds, else a tick of the clock, of 4 to 16.
 */
const grainOf = (time: number): number => (time % 1000 === 0 ? 2000 : 100)
