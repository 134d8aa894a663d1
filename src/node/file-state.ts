import type { Stats } from 'node:fs'

/** Milliseconds within which a file system may give two changes the same time. */
const GRAIN = 2000

/** All that changes when a file's content does: its number, size and times of change. */
export const fileState = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string =>
  [dev, ino, size, mtimeMs, ctimeMs].join(' ')

/** Whether a change after `since` (milliseconds) would show in a file's state. */
export const isSettled = ({ mtimeMs, ctimeMs }: Stats, since: number): boolean =>
  Math.max(mtimeMs, ctimeMs) < since - GRAIN
