// npm run bench -- [NAME...] [--quick] [--json] [--threads N] [--list]
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { nodeRuntime } from '../src/node/runtime.ts'
import { columns } from '../src/report/text.ts'
import type { Bench, BenchOptions, BenchResult, Figure } from './bench.ts'
import { best } from './best.bench.ts'
import { browser } from './browser.bench.ts'
import { classes } from './classes.bench.ts'
import { encoders } from './encoders.bench.ts'
import { images } from './images.bench.ts'
import { linearProbe } from './linear-probe.bench.ts'
import { logits } from './logits.bench.ts'
import { packing } from './packing.bench.ts'
import { recipes } from './recipes.bench.ts'
import { serve } from './serve.bench.ts'

const BENCHES: readonly Bench[] = [
  packing,
  classes,
  images,
  logits,
  encoders,
  recipes,
  linearProbe,
  best,
  serve,
  browser,
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const strange = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name))
if (values.list || strange.length > 0) {
  if (strange.length > 0) console.error(`there is no bench ${strange.join(', ')}; there are:`)
  console.log(columns(BENCHES.map(({ name, about }) => [`${name}  ${about}`])))
  process.exit(strange.length > 0 ? 2 : 0)
}

const machine = { processor: cpus()[0]?.model ?? '', threads: Number(values.threads), node: process.version }
const options = { quick: values.quick, threads: machine.threads }
const say = values.json ? () => {} : console.log
say(`${machine.processor}, ${machine.threads} threads, Node ${machine.node}`)

const results: Record<string, BenchResult> = {}
const isWanted = ({ name, long = false }: Bench) =>
  positionals.length > 0 ? positionals.includes(name) : values.quick || !long
for (const bench of BENCHES.filter(isWanted)) {
  say(`\n${bench.name}: ${bench.about}`)
  const result = await runAlone(bench, options)
  say([table(result.figures), ...result.notes].filter((line) => line !== '').join('\n'))
  results[bench.name] = result
}
if (values.json) console.log(JSON.stringify({ machine, quick: values.quick, benches: results }))

/** Each bench has a worker of its own, so that none inherits another's sessions and memory. */
async function runAlone(bench: Bench, options: BenchOptions): Promise<BenchResult> {
  const runtime = await nodeRuntime({ threads: options.threads })
  try {
    return await bench.run(runtime, options)
  } finally {
    await runtime.close()
  }
}

function table(figures: readonly Figure[]): string {
  const cells = ({ what, unit, median, raw }: Figure) => [what, number(median), unit, raw.map(number).join(' ')]
  const rows = figures.map(cells).map(([what = '', value = '', unit = '', raw = '']) => [what, `${value} ${unit}`, raw])
  return columns([['', 'median', 'raw'], ...rows])
}

function number(x: number): string {
  return Number.isInteger(x) || x >= 100 ? String(Math.round(x)) : x.toPrecision(3)
}
