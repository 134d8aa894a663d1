import { describe, expect, it } from 'vitest'
import { lineChart, linePanels } from '../../../report/line-chart.ts'
import { niceTicks } from '../../../report/svg.ts'
import { exampleResult } from '../../../testing/example-demo.ts'
import { fewShotChart } from './curves.ts'
import { gainFigure } from './gains.ts'
import { renderReport } from './page.ts'
import { resultTable, tableOf } from './table.ts'
import type { DemoResult } from './types.ts'

const fewShotFigure = (result: DemoResult) => lineChart(fewShotChart(result))
const HOSTILE = '<script>alert("x")</script> & \'co\''

/** The attribute `name` of every `<tag ...>` of that colour. */
function attribute(markup: string, tag: string, name: string, colour: string): number[] {
  const elements = [...markup.matchAll(new RegExp(`<${tag} [^>]*>`, 'g'))]
    .map(([text]) => text)
    .filter((text) => text.includes(colour))
  return elements.map((text) => Number(text.match(new RegExp(` ${name}="([^"]*)"`))?.[1]))
}

describe('the page', () => {
  const result = exampleResult()
  const page = renderReport(result)

  it('holds every figure of the result', () => {
    for (const { cells, method, task } of tableOf(result).rows) {
      for (const text of [...cells, method, task]) expect(page).toContain(`<td>${text}</td>`)
    }
  })

  it('holds prompts, words, command, seeds and model', () => {
    for (const text of [
      'a picture of a {}, a kind of sports.',
      '<code>photo</code>',
      'npm run demo',
      'seeds 1, 2, 3',
      'models/small-clip',
    ]) {
      expect(page).toContain(text)
    }
  })

  it('sums up in words what the result says', () => {
    expect(page).toContain(
      'Mean over 4 tasks: 29.5 % with hand-written prompts (chance 10.0 %), 46.0 % with one learned context',
    )
  })

  it('shows pictures of which the answer changed, beside the numbers', () => {
    const [task] = result.tasks
    if (!task) throw new Error('the example has no task')
    const examples = [{ picture: 'data:image/webp;base64,AAAA', label: 'ski', before: 'golf', after: 'ski' }]
    const shown = renderReport(
      exampleResult({ tasks: [{ ...task, changed: { tested: 9, putRight: 4, madeWrong: 1, examples } }] }),
    )
    expect(shown).toContain('of 9 pictures 4 put right, 1 made wrong')
    expect(shown).toContain('.p0 { background-image: url(data:image/webp;base64,AAAA); }')
    expect(shown).toContain('<span class="wrong">golf</span> → <span class="right">ski</span>')
    expect(page).not.toContain('before and after')
  })

  it('loads nothing and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<img|\ssrc=|\shref=|@import|url\((?!data:)/)
  })

  it('shows names as they are, never as markup', () => {
    const [task] = result.tasks
    if (!task) throw new Error('the example has no task')
    const hostile = { ...task, title: HOSTILE, prompt: HOSTILE, words: [HOSTILE] }
    const settings = { ...result.settings, model: HOSTILE, command: HOSTILE }
    const attacked = renderReport(exampleResult({ tasks: [hostile], settings }))
    expect(attacked).not.toContain('<script')
    expect(attacked).not.toContain('"x"')
    expect(attacked).toContain('&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62; &#38; &#39;co&#39;')
  })

  it('can be made of a result with one number of shots and no words', () => {
    const [first] = result.tasks
    if (!first) throw new Error('the example has no task')
    const { words: _, ...task } = first
    const few = exampleResult({ tasks: [task], settings: { ...result.settings, shots: [16], seeds: [1] } })
    const figures = renderReport(few)
    expect(figures).toContain('Nearest words were not computed')
    expect(figures).not.toMatch(/NaN|undefined|Infinity/)
  })
})

describe('the few-shot figure', () => {
  it('places each mean on one scale with the zero-shot star line', () => {
    const { mean, sd } = { mean: 0.5, sd: 0 }
    const curve = { 1: { mean: 0.2, sd }, 4: { mean: 0.35, sd }, 16: { mean, sd } }
    const settings = { ...exampleResult().settings, shots: [1, 4, 16] }
    const svg = fewShotFigure(exampleResult({ tasks: [], zeroShot: 0.35, coop: curve, coopCsc: curve, settings }))
    const [, ...heights] = attribute(svg, 'circle', 'cy', '#0b62d6') // the first circle is the legend's
    const [low = 0, middle = 0, high = 0] = heights
    expect(heights).toHaveLength(3)
    expect(low).toBeGreaterThan(middle)
    expect(middle).toBeCloseTo((low + high) / 2, 1)
    expect(attribute(svg, 'line', 'y1', 'stroke-dasharray="2 3"')).toEqual([middle])
  })

  it('has one scale for all panels, each of which is a drawing of its own in a page', () => {
    const html = linePanels(fewShotChart(exampleResult()))
    const panels = html.match(/<svg [^>]*role="img".*?<\/svg>/g) ?? []
    const ticks = panels.map((svg) => [...svg.matchAll(/text-anchor="end"[^>]*>([\d.]+)</g)].map(([, tick]) => tick))
    expect(panels).toHaveLength(6)
    for (const own of ticks) expect(own).toEqual(ticks[0])
    expect(ticks[0]?.length).toBeGreaterThan(2)
  })

  it('has a panel for the average and for each task', () => {
    const svg = fewShotFigure(exampleResult())
    for (const title of ['Average over 4 tasks', 'Objects', 'Gestures', 'Sports (shift of style)'])
      expect(svg).toContain(`>${title}</text>`)
  })
})

describe('the figure of gains', () => {
  it('sorts tasks by what they gain, with bars as long as the gain', () => {
    const svg = gainFigure(exampleResult())
    const shown = [...svg.matchAll(/>([+-]?\d+\.\d)<\/span>/g)].map((match) => Number(match[1]))
    expect(shown).toEqual([25, 23, 18, 10, -1])
    const widths = [...svg.matchAll(/<i [^>]*width: ([\d.]+)%/g)].map((match) => Number(match[1]))
    expect(widths).toHaveLength(5)
    const scale = (widths[0] ?? 0) / 25
    widths.forEach((width, i) => {
      expect(width).toBeCloseTo(Math.abs(shown[i] ?? 0) * scale, 1)
    })
  })
})

describe('the table for a terminal', () => {
  it('gives mean and deviation under their shots', () => {
    const lines = resultTable(exampleResult()).split('\n')
    expect(lines[0]).toMatch(/^accuracy in % +0 shots +1 +2 +4 +8 +16$/)
    const average = lines.slice(lines.indexOf('Average'))
    expect(average[2]).toMatch(/^ {2}zero-shot +29\.5$/)
    expect(average[3]).toMatch(/^ {2}CoOp, one context +27\.5 ± 4\.0 .* 46\.0 ± 0\.8$/)
  })
})

describe('niceTicks', () => {
  it.each([
    [0, 100, 5, [0, 20, 40, 60, 80, 100]],
    [23, 47, 4, [20, 30, 40, 50]],
    [100, 100, 4, [100, 100.5, 101]],
  ])('covers %d to %d', (low, high, count, ticks) => {
    const made = niceTicks(low, high, count)
    expect(made[0]).toBeLessThanOrEqual(low)
    expect(made.at(-1)).toBeGreaterThanOrEqual(high)
    ticks.forEach((tick, i) => {
      expect(made[i]).toBeCloseTo(tick, 6)
    })
  })
})
