// npm run clients -- RUN PICTURE...: exports the run and asks programs of other people; see docs/export.md
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { columns } from '../../src/report/text.ts'
import { differences, question } from './ask.ts'
import { CLIENTS } from './clients.ts'

const [run, ...pictures] = process.argv.slice(2)
if (run === undefined || pictures.length === 0) {
  console.error('npm run clients -- RUN PICTURE...')
  process.exit(2)
}
const folder = await mkdtemp(join(tmpdir(), 'coop-clients-'))
try {
  const asked = await question(run, folder, pictures)
  const rows = [['client', 'our pixels', 'its own preprocessing', 'same answer']]
  for (const client of CLIENTS) {
    const missing = client.missing()
    if (missing !== undefined) {
      rows.push([client.name, `skipped: it needs ${missing}`])
      continue
    }
    const { ours, own, same } = await differences(client, asked)
    rows.push([
      client.name,
      ours.toExponential(1),
      own?.toExponential(1) ?? '',
      same === undefined ? '' : `${same} of ${pictures.length}`,
    ])
  }
  console.log(columns(rows))
} finally {
  await rm(folder, { recursive: true })
}
