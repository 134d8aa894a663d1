// `npm run licences`: lists every package that users of coop-ts get and those that development needs, with version and
// licence, and fails where a licence is missing or not allowed, and where NOTICE says otherwise.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { countOf } from '../../src/base/count.ts'
import { columns } from '../../src/report/text.ts'
import { EXCEPTIONS, licenceFaults } from './licences.ts'
import { type Audience, packagesOf, ROOT, readLock } from './packages.ts'

const TITLES: readonly [Audience, string][] = [
  ['users', 'What users get with coop-ts, each on the systems it is for'],
  ['pages', 'What comes with onnxruntime-web, which pages need beside coop-ts'],
  ['development', 'What development needs beside that'],
]

const packages = packagesOf(readLock())
for (const [audience, title] of TITLES) {
  const rows = packages
    .filter((one) => one.audience === audience)
    .map(({ name, version, licence = 'no licence' }) => [name, version, licence])
  console.log(`${title}: ${countOf(rows.length, 'package')}\n\n${columns(rows, 3)}\n`)
}
const allowed = EXCEPTIONS.map(({ packages, licence, users, why }) => [
  packages,
  licence,
  users ? '' : 'in development',
  why,
])
console.log(`Allowed by name\n\n${columns(allowed, 4)}\n`)
const faults = licenceFaults(packages, readFileSync(join(ROOT, 'NOTICE'), 'utf8'))
for (const fault of faults) console.error(`licences: ${fault}`)
if (faults.length > 0) process.exitCode = 1
else console.log(`licences of ${countOf(packages.length, 'package')}: ok`)
