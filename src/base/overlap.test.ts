import { expect, it } from 'vitest'
import { roomFor } from './overlap.ts'

it('room is never overfull but for what is larger than all of it, which is alone; the order is that of asking', async () => {
  const room = roomFor(10)
  const [entered, leave]: [number[], (() => void)[]] = [[], []]
  const sizes = [4, 5, 30, 1, 9, 2]
  const asked = sizes.map(async (size, i) => {
    leave[i] = await room(size)
    entered.push(i)
  })
  const steps = [
    [0, 1],
    [0, 1],
    [0, 1, 2],
    [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4, 5],
  ]
  for (const [i, wanted] of steps.entries()) {
    await Promise.all(wanted.map((at) => asked[at]))
    expect(entered).toEqual(wanted)
    leave[i]?.()
  }
})
