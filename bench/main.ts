// npm run bench -- [NAME...] [--quick] [--json] [--markdown FILE] [--plot FILE] [--threads N] [--list]
// npm run bench -- guard [--write]
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { nodeRuntime } from '../src/node/runtime.ts'
import type { Bench, BenchOptions, BenchResult, Row } from './bench.ts'
import { best } from './best.bench.ts'
import { browser } from './browser.bench.ts'
import { encoders } from './encoders.bench.ts'
import { features } from './features.bench.ts'
import { guard } from './guard.ts'
import { images } from './images.bench.ts'
import { int8 } from './int8.bench.ts'
import { linearProbe } from './linear-probe.bench.ts'
import { logits } from './logits.bench.ts'
import { machineOf } from './machine.ts'
import { padded } from './padded.bench.ts'
import { photos, photosByMethod } from './photos.bench.ts'
import { pieces } from './pieces.bench.ts'
import { placement } from './placement.bench.ts'
import { stepPlot } from './plot.ts'
import { queue } from './queue.bench.ts'
import { recipes } from './recipes.bench.ts'
import { serve } from './serve.bench.ts'
import { start } from './start.bench.ts'
import { layouts, step } from './step.bench.ts'
import { headOf, sectionOf } from './table.ts'
import { trie } from './trie.bench.ts'
import { zeroShot } from './zero-shot.bench.ts'

const BENCHES: readonly Bench[] = [
  step,
  layouts,
  padded,
  trie,
  images,
  encoders,
  int8,
  features,
  start,
  photos,
  photosByMethod,
  pieces,
  logits,
  linearProbe,
  recipes,
  best,
  zeroShot,
  serve,
  queue,
  browser,
  placement,
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    markdown: { type: 'string' },
    plot: { type: 'string' },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const threads = Number(values.threads)
const strange = positionals.filter((name) => name !== guard.name && !BENCHES.some((bench) => bench.name === name))
if (values.list || strange.length > 0) {
  if (strange.length > 0) console.error(`there is no bench ${strange.join(', ')}; there are:`)
  console.log([...BENCHES, guard].map(({ name, about }) => `${name}: ${about}`).join('\n'))
  process.exitCode = strange.length > 0 ? 2 : 0
} else if (positionals.includes(guard.name)) {
  process.exitCode = await guard.run(threads, values.write)
} else {
  await measureAll()
}

async function measureAll(): Promise<void> {
  const machine = machineOf(threads)
  const rows: Row[] = []
  const sections: string[] = []
  const say = (text: string) => {
    sections.push(text)
    if (!values.json) console.log(`${text}\n`)
  }
  say(headOf(machine))
  const isWanted = ({ name, long = false }: Bench) =>
    positionals.length > 0 ? positionals.includes(name) : values.quick || !long
  for (const bench of BENCHES.filter(isWanted)) {
    const result = await runAlone(bench, { quick: values.quick, threads })
    say(sectionOf(bench, result))
    rows.push(...result.figures.map((figure) => ({ group: bench.name, ...figure })))
  }
  if (values.markdown !== undefined && values.markdown !== '-') {
    await writeFile(values.markdown, `${sections.join('\n\n')}\n`)
  }
  if (values.plot !== undefined) await writeFile(values.plot, stepPlot(rows, headOf(machine)))
  if (values.json) console.log(JSON.stringify({ machine, rows }))
}

/** Each bench has a worker of its own, so that none inherits another's sessions and memory. */
async function runAlone(bench: Bench, options: BenchOptions): Promise<BenchResult> {
  const runtime = await nodeRuntime({ threads: options.threads })
  try {
    return await bench.run(runtime, options)
  } finally {
    await runtime.close()
  }
}
