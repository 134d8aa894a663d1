// npm run study -- NAME [--root DIR] [--rows FILE] [--table] [--threads N]
import { parseArgs } from 'node:util'
import { nodeRuntime } from '../../node/runtime.ts'
import { best } from './best.ts'
import { recipes } from './recipes.ts'
import { scale } from './scale.ts'
import { stability } from './stability.ts'
import type { Study } from './study.ts'
import { views } from './views.ts'

const STUDIES: readonly Study[] = [views, stability, best, scale, recipes]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: 'string' },
    rows: { type: 'string' },
    table: { type: 'boolean', default: false },
    threads: { type: 'string', default: '1' },
  },
})
const study = STUDIES.find(({ name }) => name === positionals[0])
if (study === undefined) {
  console.error('give the name of a study:')
  for (const { name, about } of STUDIES) console.error(`  ${name}  ${about}`)
  process.exit(2)
}
const runtime = await nodeRuntime({ threads: Number(values.threads) })
const started = Date.now()
const say = (line: string) => console.error(`${((Date.now() - started) / 1000).toFixed(0)} s  ${line}`)
try {
  const rows = values.rows ?? `runs/study-${study.name}.jsonl`
  console.log(await study.run(runtime, { root: values.root, rows, table: values.table, say }))
} finally {
  await runtime.close()
}
