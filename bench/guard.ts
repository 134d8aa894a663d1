import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { nodeRuntime } from '../src/node/runtime.ts'
import type { Runtime } from '../src/runtime/types.ts'
import { machineOf } from './machine.ts'
import { interleaved, ratios } from './measure.ts'
import { bareProducts } from './products.ts'
import { nameOf } from './step.bench.ts'
import { headOf } from './table.ts'
import { feedsFor, layoutFor, plainForm, type StepForm, stepClip, stepProgram } from './training-step.ts'

const BASELINE = new URL('baseline.json', import.meta.url)
const ROUNDS = 7
/** The least margin, as a share of the baseline: medians of two runs on an idle machine differ by so much. */
const LEAST_MARGIN = 0.02

/** A ratio of times, the larger the better: median and quartiles of its rounds. */
const ratioSchema = z.object({ name: z.string(), median: z.number(), low: z.number(), high: z.number() })
export type Ratio = z.output<typeof ratioSchema>

const baselineSchema = z.object({ machine: z.string(), date: z.string(), ratios: z.array(ratioSchema) })

/** A form of the step, and whether the padded one is measured beside it. */
const CASES: readonly { readonly form: StepForm; readonly padded: boolean }[] = [
  { form: plainForm(10), padded: true },
  { form: plainForm(47), padded: true },
  { form: plainForm(100), padded: false },
  { form: plainForm(397), padded: false },
  { form: { ...plainForm(47), position: 'front' }, padded: false },
  { form: { ...plainForm(47), classSpecific: true }, padded: false },
]

/** Compares ratios of the step with those that are kept in baseline.json. */
export const guard = {
  name: 'guard',
  about:
    'whether the step lost ground to its bare products and to the padded one, by baseline.json; --write renews that',
  /** @returns the exit status: 1 where a ratio is worse than its margin allows */
  async run(threads: number, write: boolean): Promise<number> {
    const machine = headOf(machineOf(threads))
    const kept = write ? '' : await readFile(BASELINE, 'utf8').catch(() => '')
    if (!write && kept === '') {
      console.log(
        'there is no baseline yet: npm run guard -- --write measures one, on a machine with nothing else to do',
      )
      return 1
    }
    const runtime = await nodeRuntime({ threads })
    const now = await measured(runtime).finally(() => runtime.close())
    if (write) {
      const date = new Date().toISOString().slice(0, 10)
      await writeFile(BASELINE, `${JSON.stringify({ machine, date, ratios: now }, undefined, 2)}\n`)
      console.log([`bench/baseline.json is renewed: ${machine}, ${date}`, ...now.map(sentenceOf)].join('\n'))
      return 0
    }
    const baseline = baselineSchema.parse(JSON.parse(kept))
    console.log(`here: ${machine}\nbaseline: ${baseline.machine}, ${baseline.date}`)
    const { lines, worse } = verdictOf(baseline.ratios, now)
    console.log(lines.join('\n'))
    return worse ? 1 : 0
  },
}

async function measured(runtime: Runtime): Promise<Ratio[]> {
  const clip = await stepClip()
  const found: Ratio[] = []
  for (const { form, padded } of CASES) {
    const layout = layoutFor(clip, form)
    const program = stepProgram(clip, layout, false)
    const feeds = feedsFor(clip, layout)
    const bare = bareProducts(program)
    const sessions = [await runtime.load(program), await runtime.load(bare.program)]
    if (padded) sessions.push(await runtime.load(stepProgram(clip, layout, true)))
    const tasks = sessions.map((session, i) => () => session.run(i === 1 ? bare.feeds : feeds))
    // the first run finds out what memory is needed, the second takes it
    for (const task of [...tasks, ...tasks]) await task()
    const [step = [], products = [], long = []] = await interleaved(tasks, ROUNDS)
    for (const session of sessions) await session.dispose()
    const what = `${form.classes} classes, ${nameOf(form)}`
    found.push(ratioOf(`bare products / step, ${what}`, ratios(products, step)))
    if (padded) found.push(ratioOf(`padded / packed step, ${what}`, ratios(long, step)))
  }
  return found
}

function ratioOf(name: string, rounds: readonly number[]): Ratio {
  const sorted = rounds.toSorted((a, b) => a - b)
  const at = (share: number) => Number((sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(4))
  return { name, median: at(0.5), low: at(0.25), high: at(0.75) }
}

/**
 * How much less than the baseline's median a median may be: one and a half times what the quartiles of its rounds are
 * apart. Where rounds differ by chance alone, a median of seven is less by so much once in a thousand cases.
 */
const marginOf = ({ median, low, high }: Ratio): number => Math.max(1.5 * (high - low), LEAST_MARGIN * median)

/** What is to be said of ratios measured now, beside those of the baseline, and whether one is worse than its margin allows. */
export function verdictOf(baseline: readonly Ratio[], now: readonly Ratio[]): { lines: string[]; worse: boolean } {
  const compared = now.map((ratio) => {
    const before = baseline.find(({ name }) => name === ratio.name)
    if (before === undefined) return { line: `${sentenceOf(ratio)}; not in the baseline`, worse: false }
    const least = before.median - marginOf(before)
    const worse = !(ratio.median >= least)
    const words = worse ? 'WORSE: it must be at least' : 'as good as it must be, at least'
    return {
      line: `${sentenceOf(ratio)}, ${before.median.toFixed(3)} in the baseline; ${words} ${least.toFixed(3)}`,
      worse,
    }
  })
  const lost = compared.filter(({ worse }) => worse).length
  const summary =
    lost === 0
      ? 'no ratio is worse than in the baseline'
      : `${lost} of ${now.length} ratios are worse than the baseline's by more than its rounds are apart: the step has become slower, or the machine was busy (measure again with nothing else running)`
  return { lines: [...compared.map(({ line }) => line), summary], worse: lost > 0 }
}

const sentenceOf = ({ name, median, low, high }: Ratio): string =>
  `${name}: ${median.toFixed(3)} (quartiles ${low.toFixed(3)} to ${high.toFixed(3)})`
