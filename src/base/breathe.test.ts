import { describe, expect, it } from 'vitest'
import { tickShare } from '../testing/ticks.ts'
import { breathe, breathing } from './breathe.ts'

/** Keeps the thread busy. */
function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

describe('long work', () => {
  it('lets timers go on, however long it is', async () => {
    const end = Date.now() + 300
    const share = await tickShare(async () => {
      while (Date.now() < end) await breathe()
    })
    expect(share).toBeGreaterThan(1 / 3)
  })

  it('in a loop goes through it in order, and several at a time share the thread', async () => {
    const seen: number[] = []
    const share = await tickShare(async () => {
      await Promise.all([
        breathing(100, (i) => {
          seen.push(i)
          spin(1)
        }),
        breathing(200, () => spin(1)),
      ])
    })
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(share).toBeGreaterThan(1 / 3)
    await breathing(0, () => expect.unreachable())
  })

  it('that fails rejects', async () => {
    const fails = (i: number) => {
      if (i === 3) throw new Error('the fourth')
    }
    await expect(breathing(5, fails)).rejects.toThrow('the fourth')
  })
})
