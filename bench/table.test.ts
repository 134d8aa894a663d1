import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { absent, figure, NOT_INSTALLED } from './bench.ts'
import { TORCH } from './padded.bench.ts'
import { runPeer, waitingPeer } from './peer.ts'
import { stepPlot } from './plot.ts'
import { sectionOf } from './table.ts'

const bench = { name: 'step', about: 'a step', run: async () => ({ figures: [], notes: [] }) }

describe('the table', () => {
  it('has median, spread and number of runs, and says what is not installed', () => {
    const figures = [figure('end', 10, 'step', 'ms', [5, 1, 120.4]), absent('PyTorch', 10, NOT_INSTALLED)]
    const lines = sectionOf(bench, { figures, notes: ['a note'] }).split('\n')
    expect(lines).toContain('| end | 10 | step | 5 ms | 1 to 120 | 3 |')
    expect(lines).toContain('| PyTorch | 10 | not installed |  |  |  |')
    expect(lines.at(-1)).toBe('- a note')
  })
})

describe('a peer', () => {
  it('that cannot run is not installed, and no failure', async () => {
    for (const script of ['no-such-script.py', 'no-such-script.mjs']) {
      expect(await waitingPeer(script, [], 1)).toBeUndefined()
      expect(await runPeer(script, [], 1)).toBeUndefined()
    }
  })
})

describe('the plot', () => {
  it('has the medians of step and padded by classes, and leaves out what was not measured', () => {
    const rowOf = (group: string, name: string, size: number, ms: number) => ({
      group,
      ...figure(name, size, 'step', 'ms', [ms]),
    })
    const rows = [
      rowOf('step', 'end', 10, 1000),
      rowOf('step', 'end', 47, 2000),
      rowOf('padded', 'padded', 10, 20_000),
      { group: 'padded', ...absent(TORCH, 10, NOT_INSTALLED) },
      rowOf('layouts', 'front', 10, 3),
    ]
    const svg = stepPlot(rows, 'a machine')
    expect(svg.match(/<circle/g)).toHaveLength(3) // two medians, one in the legend
    expect(svg).toContain('padded to 77 tokens')
    expect(svg).not.toContain('PyTorch')
    expect(svg).toContain('classes; a machine')
  })
})

const number = z.number().nullable()
const answer = z.strictObject({
  machine: z.strictObject({
    processor: z.string(),
    cores: z.number(),
    threads: z.literal(1),
    memory: z.number(),
    node: z.string(),
    onnxruntime: z.string(),
    platform: z.string(),
  }),
  rows: z
    .array(
      z.strictObject({
        group: z.literal('images'),
        name: z.string(),
        size: z.number(),
        metric: z.string(),
        unit: z.string(),
        median: number,
        min: number,
        max: number,
        runs: z.number(),
      }),
    )
    .nonempty(),
})

const runBench = (...words: readonly string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', new URL('main.ts', import.meta.url).pathname, ...words])

describe('npm run bench', () => {
  it('prints machine and rows as JSON', async () => {
    const { stdout } = await runBench('images', '--quick', '--json', '--threads', '1')
    const { rows } = answer.parse(JSON.parse(stdout))
    for (const { median, min, max, runs } of rows) {
      expect(Number(min)).toBeLessThanOrEqual(Number(median))
      expect(Number(median)).toBeLessThanOrEqual(Number(max))
      expect(runs).toBeGreaterThan(1)
    }
  })

  it('refuses a bench that is not there', async () => {
    await expect(runBench('imgaes')).rejects.toMatchObject({ code: 2 })
  })
})
