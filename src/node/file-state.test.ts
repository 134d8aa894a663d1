import { expect, it } from 'vitest'
import { isSettled } from './file-state.ts'

it.each([
  ['a file system of whole seconds', 60_000, 61_999, 62_001],
  ['one of finer times', 60_000.25, 60_099, 60_101],
])('a later change shows once it cannot have the same time: %s', (_, changed, early, late) => {
  const asOf = (since: number) => [
    isSettled({ mtimeMs: changed, ctimeMs: 0 }, since),
    isSettled({ mtimeMs: 0, ctimeMs: changed }, since),
  ]
  expect(asOf(early)).toEqual([false, false])
  expect(asOf(late)).toEqual([true, true])
})
