import { describe, expect, it } from 'vitest'
import { type Ratio, verdictOf } from './guard.ts'

const ratio = (name: string, median: number, spread = 0): Ratio => ({
  name,
  median,
  low: median - spread / 2,
  high: median + spread / 2,
})

describe('the guard', () => {
  it('passes what is as good as the baseline within the spread of its rounds', () => {
    const { lines, worse } = verdictOf([ratio('a', 0.8, 0.1), ratio('b', 12)], [ratio('a', 0.66), ratio('b', 30)])
    expect(worse).toBe(false)
    expect(lines).toHaveLength(3)
    expect(lines.at(-1)).toBe('no ratio is worse than in the baseline')
  })

  it('says in a sentence which ratio is worse, and by what it is judged', () => {
    const { lines, worse } = verdictOf([ratio('a', 0.8, 0.1), ratio('b', 12)], [ratio('a', 0.64), ratio('b', 12)])
    expect(worse).toBe(true)
    expect(lines[0]).toContain('a: 0.640')
    expect(lines[0]).toContain('WORSE: it must be at least 0.650')
    expect(lines.at(-1)).toMatch(/^1 of 2 ratios are worse/)
  })

  it('allows two in a hundred where the rounds of the baseline were all but equal', () => {
    expect(verdictOf([ratio('a', 1)], [ratio('a', 0.981)]).worse).toBe(false)
    expect(verdictOf([ratio('a', 1)], [ratio('a', 0.979)]).worse).toBe(true)
  })

  it('takes a ratio that is no number for a worse one, and a new one for a good one', () => {
    expect(verdictOf([ratio('a', 1)], [ratio('a', Number.NaN)]).worse).toBe(true)
    expect(verdictOf([], [ratio('a', 1)]).worse).toBe(false)
  })
})
