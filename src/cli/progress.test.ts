import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import type { Progress } from '../base/progress.ts'
import { createProgressPrinter, progressLine } from './progress.ts'

function fakeTerminal(isTTY: boolean, columns = 80) {
  const written: string[] = []
  return { isTTY, columns, write: (text: string) => written.push(text), written }
}

describe('the progress printer', () => {
  it('shows counts that only grow under a total that stays, and the end of every phase', () => {
    const steps = fc.array(fc.record({ add: fc.nat(20), ms: fc.nat(30_000) }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(steps, fc.boolean(), (moves, isTTY) => {
        const terminal = fakeTerminal(isTTY)
        let time = 0
        const printer = createProgressPrinter(terminal, () => time)
        const total = moves.reduce((sum, { add }) => sum + add, 0)
        let done = 0
        for (const { add, ms } of moves) {
          done += add
          time += ms
          printer.show({ kind: 'train', done, total })
        }
        const shown = terminal.written.flatMap((text) => [...text.matchAll(/(\d+)\/(\d+)/g)])
        const counts = shown.map((match) => Number(match[1]))
        expect(counts).toEqual([...counts].sort((a, b) => a - b))
        expect(new Set(shown.map((match) => Number(match[2])))).toEqual(new Set([total]))
        expect(counts.at(-1)).toBe(total)
      }),
    )
  })

  it('writes a line now and then where there is no terminal', () => {
    const terminal = fakeTerminal(false)
    let time = 0
    const printer = createProgressPrinter(terminal, () => time)
    for (let done = 0; done <= 100; done++, time += 500) printer.show({ kind: 'features', done, total: 100 })
    expect(terminal.written).toHaveLength(5)
    expect(terminal.written.every((line) => line.endsWith('\n') && !line.includes('\r'))).toBe(true)
  })

  it('redraws one line on a terminal, no longer than the terminal', () => {
    const terminal = fakeTerminal(true, 40)
    let time = 0
    const printer = createProgressPrinter(terminal, () => time)
    for (let done = 0; done <= 10; done++, time += 1000) printer.show({ kind: 'train', done, total: 10, loss: 1 })
    expect(terminal.written.filter((text) => text.includes('\n'))).toHaveLength(1)
    for (const text of terminal.written) expect(text.replace('\r\u001b[K', '').trimEnd().length).toBeLessThan(40)
  })

  it('keeps count and time left where the terminal is narrow, whatever the detail', () => {
    for (const columns of [20, 24, 30, 40, 60, 80, 120]) {
      const terminal = fakeTerminal(true, columns)
      let time = 0
      const printer = createProgressPrinter(terminal, () => time)
      for (let done = 0; done < 10; done++, time += 60_000)
        printer.show({ kind: 'demo', done, total: 10, detail: '飞机, 16 shots, seed 2, a long name of a class' })
      const last = terminal.written.at(-1)?.replace('\r\u001b[K', '') ?? ''
      expect(last).toContain('9/10, 1:00 left')
      expect(stringWidth(last)).toBeLessThan(columns)
    }
  })

  it('says nothing of the time left before it can know, and then the truth', () => {
    const terminal = fakeTerminal(true, 100)
    let time = 0
    const printer = createProgressPrinter(terminal, () => time)
    const show = (done: number, ms: number) => {
      time = ms
      printer.show({ kind: 'features', done, total: 10_000 })
      return terminal.written.at(-1)
    }
    show(0, 0)
    expect(show(2000, 150)).not.toContain('left') // from the cache: not "0:01 left"
    expect(show(2001, 2900)).not.toContain('left') // one picture after loading: not "3 hours left"
    for (let s = 4; s <= 64; s++) show(2000 + 10 * (s - 3), 1000 * s)
    // 10 pictures a second
    expect(terminal.written.at(-1)).toMatch(/, 12:\d\d left$/)
  })
})

describe('progressLine', () => {
  const pace = (ms: number, done: number) => ({ elapsed: ms, recent: { ms, done } })
  const event: Progress = { kind: 'train', done: 75, total: 100, loss: 1.23456 }

  it('tells count, loss and time left', () => {
    expect(progressLine(event, pace(30_000, 75))).toBe(
      `training [${'='.repeat(18)}      ] 75/100, loss 1.235, 0:10 left`,
    )
  })

  it('tells size, rate, time left and file of a download', () => {
    const event: Progress = { kind: 'download', done: 150e6, total: 605.2e6, detail: 'model.safetensors' }
    // 100 MB in 20 s; the first 50 MB were there
    expect(progressLine(event, pace(20_000, 100e6))).toMatch(
      /^downloading \[=+ +\] 150\.0 MB of 605\.2 MB, 5\.0 MB\/s, 1:31 left, model\.safetensors$/,
    )
    expect(progressLine({ ...event, done: 0, total: 999 }, pace(0, 0))).toMatch(/ 0 B of 999 B, model/)
  })

  it('takes the speed from this session alone when a run is resumed', () => {
    // 5 steps in 30 s leave 25 steps, 150 s
    expect(progressLine(event, pace(30_000, 5))).toContain('2:30 left')
  })

  it('has no time left to tell before anything is done', () => {
    expect(progressLine({ kind: 'render', done: 0, total: 7 }, pace(0, 0))).toBe(
      `rendering pictures [${' '.repeat(24)}] 0/7`,
    )
  })
})
