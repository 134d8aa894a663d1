import { describe, expect, it, vi } from 'vitest'
import { longestHold, UNNOTICED } from '../testing/ticks.ts'
import { breathe, breathing } from './breathe.ts'

/** Keeps the thread busy. */
function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

describe('long work', () => {
  it('lets timers go on, however long it is', async () => {
    const end = Date.now() + 300
    const hold = await longestHold(async () => {
      while (Date.now() < end) await breathe()
    })
    expect(hold).toBeLessThan(UNNOTICED)
  })

  it('breathes on when the clock is set back', async () => {
    await breathe()
    const now = vi.spyOn(Date, 'now').mockReturnValue(0)
    let heard = false
    setTimeout(() => {
      heard = true
    })
    const end = performance.now() + 1000
    while (!heard && performance.now() < end) await breathe()
    now.mockRestore()
    expect(heard).toBe(true)
  })

  it('in a loop goes through it in order, and several at a time share the thread', async () => {
    const seen: number[] = []
    const hold = await longestHold(async () => {
      await Promise.all([
        breathing(100, (i) => {
          seen.push(i)
          spin(1)
        }),
        breathing(200, () => spin(1)),
      ])
    })
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(hold).toBeLessThan(UNNOTICED)
    await breathing(0, () => expect.unreachable())
  })

  it('that fails rejects', async () => {
    const fails = (i: number) => {
      if (i === 3) throw new Error('the fourth')
    }
    await expect(breathing(5, fails)).rejects.toThrow('the fourth')
  })
})
