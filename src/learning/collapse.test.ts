import { describe, expect, it } from 'vitest'
import { collapsed, collapseWarning, endLoss } from './collapse.ts'

const falling = (steps: number, from: number, to: number) =>
  Array.from({ length: steps }, (_, i) => from + ((to - from) * i) / (steps - 1))

describe('collapsed', () => {
  it.each([
    ['learned something', falling(100, 4.6, 0.3), 100, false],
    ['learned little, from above chance', falling(100, 7, 3.9), 100, false],
    ['fell to chance', [...falling(50, 3, 0.5), ...new Array<number>(50).fill(Math.log(100))], 100, true],
    ['scatters about chance', [1, 1, 1, 1, 1, 1, 1, 1, 1, 0.6, 1, 1, 1, 1, 1, 1, 1, 1, 0.68, 0.7], 2, true],
    ['is a little better than chance', falling(150, 5, 4.5), 100, false],
    ['stays above chance', falling(40, 9, 5.5), 100, true],
    ['had one bad batch at the end', [...falling(99, 3, 0.2), 9], 10, false],
    ['few classes, told apart', falling(20, 0.7, 0.2), 2, false],
    ['no step', [], 2, false],
    ['one step', [0.7], 2, true],
  ] as const)('%s', (_, losses, classes, expected) => {
    expect(collapsed({ losses, classes })).toBe(expected)
  })

  it('looks at the last tenth of the steps', () => {
    expect(endLoss([...new Array<number>(18).fill(9), 1, 2])).toBe(1.5)
    expect(endLoss([9, 9, 1])).toBe(1)
  })

  it('is told with the loss and that of chance', () => {
    expect(collapseWarning({ losses: [5], classes: 100 })).toMatch(/loss is 5\.00, and 4\.61 for guessing among 100/)
  })
})
