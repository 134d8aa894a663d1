import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { methodSettings } from '../../src/cli/method-settings.ts'
import { floatTensor } from '../../src/graph/tensor.ts'
import { methodNamed, readSettings } from '../../src/methods/index.ts'
import { readPrompt, writePrompt } from '../../src/prompt/learned-prompt.ts'
import { reportSweeps } from '../../src/runs/report.ts'
import { beginRun, checkRunFolder, folderCheckpoint, readRecord } from '../../src/runs/run-folder.ts'
import { readSavedRun } from '../../src/runs/saved-run.ts'
import { parsePlan } from '../../src/runs/sweep/plan.ts'
import { readMetrics } from '../../src/runs/tensorboard.ts'
import { exampleRecord } from '../../src/testing/example-records.ts'
import { writeLearned } from '../../src/trained/learned.ts'
import { RUN_FILES } from '../../src/trained/run-files.ts'
import { YAML } from './dataset-readers.ts'
import { encode, json, type Reader, source, textReader } from './reader.ts'
import { safetensorsHeader } from './tensor-readers.ts'

/** A file in a run's folder. */
function runFile(
  name: string,
  file: string,
  seeds: readonly Uint8Array[],
  read: (folder: string) => unknown,
  more: Partial<Reader> = { text: true },
): Reader {
  return {
    name,
    ...more,
    prepare: (scratch) => ({
      seeds,
      read(input) {
        writeFileSync(join(scratch, file), input)
        return read(scratch)
      },
    }),
  }
}

const SETTINGS = { method: 'coop', settings: { M: 4, position: 'end' }, model: 'f00d', classNames: ['cat', 'dog'] }
const coop = methodNamed('coop')
const ctx = floatTensor(
  [4, 3],
  Float32Array.from({ length: 12 }, (_, i) => i / 8),
)
const about = {
  templates: ['a photo of a {}.'],
  model: { name: 'bundled', fingerprint: 'f00d' },
  transforms: '2021-10' as const,
  split: 'all' as const,
  classNames: ['cat', 'sea horse'],
}
const learned = await Promise.all([
  writeLearned({ ...about, method: coop, settings: readSettings(coop, { M: 4 }), tensors: new Map([['ctx', ctx]]) }),
  writeLearned({
    ...about,
    method: methodNamed('class-mean'),
    settings: {},
    tensors: new Map([['means', floatTensor([2, 3])]]),
  }),
])
const STEP = { step: 1, epoch: 1, loss: 2.5, learningRate: 0.002, gradientNorm: 0.25 }
const PLAN = `datasets: [caltech101, dtd]
root: data
models: bundled
shots: [1, 2, 4]
seeds: 1
methods:
  - zero-shot
  - method: coop
    M: [4, 16]
    position: middle
    views: online
elsewhere: imagenetv2
`
const ASSIGNMENTS = [
  'M=4',
  'position="middle"',
  'learningRate=2e-3',
  'classSpecific=true',
  'warmup="none"\nviews=~',
  'init="a photo of a"',
]
const EXAMPLE = exampleRecord()

export const runReaders: readonly Reader[] = [
  textReader('plan', [PLAN], (text) => parsePlan(text, 'plan.yaml'), YAML),
  textReader('--set', ASSIGNMENTS, (text) => methodSettings(coop, { set: text.split('\n') }, new Map()), YAML),
  runFile('settings.json', RUN_FILES.settings, [json(SETTINGS)], (folder) =>
    checkRunFolder(folder, { resume: true }, { ...SETTINGS, settings: { M: 4 } }),
  ),
  runFile('results.json', RUN_FILES.results, [json(EXAMPLE)], readRecord),
  runFile(
    'metrics.jsonl',
    RUN_FILES.metrics,
    [encode([1, 2, 3].map((step) => `${JSON.stringify({ ...STEP, step })}\n`).join(''))],
    (folder) => readMetrics(join(folder, RUN_FILES.metrics)),
  ),
  runFile('learned.safetensors', RUN_FILES.learned, learned, (folder) => readSavedRun(folder), {
    shell: safetensorsHeader,
  }),
  {
    name: 'checkpoint',
    shell: safetensorsHeader,
    async prepare(scratch) {
      await beginRun(scratch, SETTINGS)
      const checkpoint = folderCheckpoint(scratch, 'checkpoint', SETTINGS)
      await checkpoint.write(new Map([['ctx', ctx]]))
      const file = join(scratch, RUN_FILES.checkpoint)
      return {
        seeds: [new Uint8Array(readFileSync(file))],
        read(input) {
          writeFileSync(file, input)
          return checkpoint.read()
        },
      }
    },
  },
  {
    name: 'prompt.safetensors',
    shell: safetensorsHeader,
    prepare: () => ({
      seeds: [
        writePrompt(
          { M: 4, position: 'end', classSpecific: false, ctx, classNames: ['cat', 'dog'], model: 'f00d' },
          { epochs: 5 },
        ),
      ],
      read: (input) => readPrompt(source(input)),
    }),
  },
  {
    name: 'results in a report',
    text: true,
    prepare(scratch) {
      const others = [1, 2].map((seed) => exampleRecord({ seed: seed + 1, id: `other-${seed}` }))
      for (const record of others) {
        mkdirSync(join(scratch, 'runs', record.id), { recursive: true })
        writeFileSync(join(scratch, 'runs', record.id, RUN_FILES.results), JSON.stringify(record))
      }
      const folder = join(scratch, 'runs', EXAMPLE.id)
      mkdirSync(folder, { recursive: true })
      return {
        seeds: [json(EXAMPLE)],
        read(input) {
          writeFileSync(join(folder, RUN_FILES.results), input)
          return reportSweeps([scratch], { out: join(scratch, 'report') })
        },
      }
    },
  },
]
