// npm run fuzz -- [--cases N] [--seed S] [--reader NAME]... [--case I] [--list]
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { columns } from '../../src/report/text.ts'
import { chosenReaders, inputOf, readerOf } from './cases.ts'
import { READERS } from './readers.ts'
import { fuzz } from './run.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    workers: { type: 'string', default: '2' },
    reader: { type: 'string', multiple: true, default: [] },
    case: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
const [cases, seed, from, workers] = [values.cases, values.seed, values.from, values.workers].map(Number)
const strange = values.reader.filter((name) => !READERS.some((reader) => reader.name === name))
if (values.list || strange.length > 0) {
  if (strange.length > 0) console.error(`there is no reader ${strange.join(', ')}; there are:`)
  console.log(READERS.map(({ name }) => name).join('\n'))
  process.exit(strange.length > 0 ? 2 : 0)
}
const readers = chosenReaders(values.reader)

if (values.case !== undefined) {
  const i = Number(values.case)
  const reader = readerOf(i)
  const folder = mkdtempSync(join(tmpdir(), 'coop-fuzz-case-'))
  const prepared = await reader.prepare(folder)
  const input = await inputOf(reader, prepared, seed ?? 1, i)
  await prepared.close?.()
  const [file, entry] = [`fuzz-${seed}-${i}.input`, `fuzz-${seed}-${i}.json`]
  writeFileSync(file, input)
  const asText = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input)
  const isText = Buffer.from(asText).equals(input)
  const content = isText ? { text: asText } : { base64: Buffer.from(input).toString('base64') }
  writeFileSync(entry, `${JSON.stringify({ reader: reader.name, why: '', ...content, refused: '' }, null, 2)}\n`)
  console.log(`${file}: case ${i} of seed ${seed}, for ${reader.name}; ${entry}: the same for test/fuzz/corpus`)
  process.exit(0)
}

console.log(`${cases} cases of seed ${seed} for ${readers.length} readers`)
const started = performance.now()
const { findings, tallies } = await fuzz({
  cases: cases ?? 0,
  seed: seed ?? 1,
  from,
  workers,
  readers: values.reader,
  onFinding: ({ reader, case: i, error }) => console.log(`FINDING in ${reader}, case ${i}: ${error}\n`),
  onProgress: (done) => {
    if (done % 10_000 === 0) console.log(`${done} of ${cases}, ${Math.round((performance.now() - started) / 1000)} s`)
  },
})
const rows = [...tallies].map(([name, { cases, refused, accepted, findings, ms, slowest }]) => [
  name,
  ...[cases, refused, accepted, findings].map(String),
  (ms / cases).toFixed(2),
  slowest.toFixed(0),
])
console.log(columns([['reader', 'cases', 'refused', 'accepted', 'findings', 'mean, ms', 'slowest, ms'], ...rows]))
const seconds = Math.round((performance.now() - started) / 1000)
console.log(`${findings.length} findings in ${cases} cases, ${seconds} s`)
process.exit(findings.length > 0 ? 1 : 0)
