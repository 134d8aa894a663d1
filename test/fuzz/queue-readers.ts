import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonOrNothing } from '../../src/datasets/parquet/columns.ts'
import { jobsOf } from '../../src/runs/sweep/jobs.ts'
import { parsePlan } from '../../src/runs/sweep/plan.ts'
import { readAddress } from '../../src/runs/sweep/redis/address.ts'
import { readDelivery } from '../../src/runs/sweep/redis/delivery.ts'
import { newsOf, readMessage } from '../../src/runs/sweep/redis/messages.ts'
import { exampleRecord } from '../../src/testing/example-records.ts'
import { resultsText, settingsText } from '../../src/trained/run-files.ts'
import type { Shell } from './mutate.ts'
import { encode, json, type Reader, textReader } from './reader.ts'
import { PLAN } from './run-readers.ts'

const [JOB, OTHER] = jobsOf(parsePlan(PLAN, 'plan.yaml'))
const RECORD = exampleRecord()
const base64 = (text: string) => Buffer.from(text).toString('base64')
const FILES = {
  settings: base64(settingsText({ method: 'coop', settings: { M: 4 } })),
  results: base64(await resultsText(RECORD)),
}

/** The result in what a worker delivers, of an earlier version, which wrote no hash of it. */
const deliveredResult: Shell = {
  open: () => json(RECORD),
  close: (_, inner) => json({ files: { ...FILES, results: Buffer.from(inner).toString('base64') } }),
}

/** A message of the queue: JSON by the time that we see it. */
const message = (name: string, seeds: readonly unknown[], read: (value: unknown) => unknown): Reader =>
  textReader(
    name,
    seeds.map((seed) => JSON.stringify(seed)),
    (text) => read(jsonOrNothing(text)),
  )

export const queueReaders: readonly Reader[] = [
  message('message of a run', [{ job: JOB }, { job: OTHER, lost: 2 }], readMessage.run),
  message('message of features', [{ job: JOB, word: 'dtd', first: 0, last: 500 }], readMessage.features),
  message('message of a release', [{ jobs: [JOB, OTHER] }], readMessage.release),
  message(
    'progress of a run',
    [
      { host: 'vm', pid: 7, since: '2026-01-02T03:04:05.000Z', event: { kind: 'train', done: 1, total: 9 } },
      { host: 'vm', pid: 7, since: '', failure: { message: 'x', attempts: 3 } },
    ],
    newsOf,
  ),
  {
    ...message('delivery of a run', [{ files: FILES }, {}], (value) => readDelivery(value, RECORD.id)),
    shell: deliveredResult,
  },
  {
    name: 'address of a queue',
    text: true,
    prepare(scratch) {
      const file = join(scratch, 'address')
      return {
        seeds: [encode('redis://:secret@127.0.0.1:6379/1\n'), encode('# ours\nrediss://user:x@[::1]\n')],
        read(input) {
          writeFileSync(file, input)
          return readAddress(file)
        },
      }
    },
  },
]
