import { mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { methodNamed, readSettings } from '../../src/methods/index.ts'
import { CLAIM } from '../../src/node/claim.ts'
import { QUEUE_FOLDER } from '../../src/runs/sweep/control.ts'
import { jobsOf } from '../../src/runs/sweep/jobs.ts'
import { newHead, readList, readToken, writeList } from '../../src/runs/sweep/list.ts'
import { parsePlan } from '../../src/runs/sweep/plan.ts'
import { RUNNING_FILE, sweepStatus } from '../../src/runs/sweep/status.ts'
import { exampleRecord } from '../../src/testing/example-records.ts'
import { RUN_FILES } from '../../src/trained/run-files.ts'
import { json, type Reader } from './reader.ts'
import { PLAN } from './run-readers.ts'

const JOBS = jobsOf(parsePlan(PLAN, 'plan.yaml')).slice(0, 4)
const [done = '', aside = '', claimed = '', elsewhere = ''] = JOBS.map(({ id }) => id)
const CLAIMED = { host: hostname(), pid: 1, token: 'e1', since: '2026-01-02T03:04:05.000Z' }
const TOLD = { id: elsewhere, host: 'other', pid: 7, since: CLAIMED.since, doing: 'train 1/9' }

/** What a sweep's folder has for its workers and for whoever asks how far it is. */
const FILES: Readonly<Record<string, Uint8Array>> = {
  [`${QUEUE_FOLDER}/control.json`]: json({ state: 'paused' }),
  [`${QUEUE_FOLDER}/${RUNNING_FILE}`]: json([TOLD]),
  [CLAIM]: json(CLAIMED),
  [`runs/${done}/${RUN_FILES.results}`]: json(exampleRecord({ id: done })),
  [`runs/${aside}/${RUN_FILES.error}`]: json({ message: 'no image', remedy: 'add some', attempts: 3 }),
  [`runs/${claimed}/${CLAIM}`]: json(CLAIMED),
}
const LIST = `${QUEUE_FOLDER}/list.jsonl`
const HEAD = {
  ...newHead({ weights: 1000, exif: 'turn', command: ['coop-ts', 'sweep'] }),
  token: '0b0e7c52-53b9-4b6c-9a39-2f0d5f3f5e11', // the same input each time
}

const inStatus = (name: string, file: string): Reader => ({
  name: `${name} of a sweep`,
  text: true,
  async prepare(scratch) {
    const put = (path: string, content: Uint8Array) => {
      mkdirSync(dirname(join(scratch, path)), { recursive: true })
      writeFileSync(join(scratch, path), content)
    }
    for (const [path, content] of Object.entries(FILES)) put(path, content)
    await writeList(scratch, { head: HEAD, jobs: JOBS })
    const list = Buffer.from([HEAD, ...JOBS].map((line) => `${JSON.stringify(line)}\n`).join(''))
    return {
      seeds: [FILES[file] ?? new Uint8Array(list)],
      async read(input) {
        put(file, input)
        await readToken(scratch)
        const { jobs } = await readList(scratch)
        for (const { method, settings } of jobs) readSettings(methodNamed(method), settings)
        return sweepStatus(scratch)
      },
    }
  },
})

export const sweepReaders: readonly Reader[] = [
  inStatus('list.jsonl', LIST),
  inStatus('control.json', `${QUEUE_FOLDER}/control.json`),
  inStatus('running.json', `${QUEUE_FOLDER}/${RUNNING_FILE}`),
  inStatus('results.json', `runs/${done}/${RUN_FILES.results}`),
  inStatus('error.json', `runs/${aside}/${RUN_FILES.error}`),
  inStatus('claim.json', `runs/${claimed}/${CLAIM}`),
]
