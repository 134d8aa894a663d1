import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { methodSettings } from '../../src/cli/method-settings.ts'
import { floatTensor } from '../../src/graph/tensor.ts'
import type { Tensors } from '../../src/learning/types.ts'
import { methodNamed, readSettings } from '../../src/methods/index.ts'
import { promptsFor } from '../../src/methods/templates-setting.ts'
import { CLAIM, withClaim } from '../../src/node/claim.ts'
import { readPrompt, writePrompt } from '../../src/prompt/learned-prompt.ts'
import { heldBy } from '../../src/runs/out-folder.ts'
import { reportSweeps } from '../../src/runs/report.ts'
import { beginRun, checkRunFolder, folderCheckpoint, readRecord } from '../../src/runs/run-folder.ts'
import { readSavedRun } from '../../src/runs/saved-run.ts'
import { parsePlan } from '../../src/runs/sweep/plan.ts'
import { readSweepFolder } from '../../src/runs/sweep-folder.ts'
import { templatesOf } from '../../src/runs/templates-file.ts'
import { readMetrics } from '../../src/runs/tensorboard.ts'
import { exampleRecord } from '../../src/testing/example-records.ts'
import { judgedOf } from '../../src/trained/judge.ts'
import { writeLearned } from '../../src/trained/learned.ts'
import { RUN_FILES } from '../../src/trained/run-files.ts'
import { YAML } from './dataset-readers.ts'
import { encode, json, type Reader, source, textReader } from './reader.ts'
import { safetensorsHeader, sealedHeader } from './tensor-readers.ts'

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

/** Tensors that a run keeps while it learns. */
const kept = (name: 'checkpoint' | 'judged', tensors: Tensors, use: (tensors: Tensors) => unknown): Reader => ({
  name: RUN_FILES[name],
  shell: sealedHeader,
  async prepare(scratch) {
    await beginRun(scratch, SETTINGS)
    const checkpoint = folderCheckpoint(scratch, name, SETTINGS)
    await checkpoint.write(tensors)
    const file = join(scratch, RUN_FILES[name])
    return {
      seeds: [new Uint8Array(readFileSync(file))],
      async read(input) {
        writeFileSync(file, input)
        const read = await checkpoint.read()
        return read && use(read)
      },
    }
  },
})

/** A file of a sweep, or of a run in it, with other runs beside it. */
const inSweep = (
  name: string,
  file: string,
  seed: Uint8Array,
  read = (folder: string): unknown => reportSweeps([folder], { out: join(folder, 'report') }),
): Reader => ({
  name,
  text: true,
  words: YAML,
  prepare(scratch) {
    const put = (path: string, content: Uint8Array) => {
      mkdirSync(dirname(join(scratch, path)), { recursive: true })
      writeFileSync(join(scratch, path), content)
    }
    for (const each of [1, 2].map((seed) => exampleRecord({ seed: seed + 1, id: `other-${seed}` }))) {
      put(join('runs', each.id, RUN_FILES.results), json(each))
    }
    put('plan.yaml', encode(PLAN))
    return {
      seeds: [seed],
      read(input) {
        put(file, input)
        return read(scratch)
      },
    }
  },
})

const LABELLED = [0, 1, 1, 0].map((label) => ({ label }))
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
export const PLAN = `datasets: [caltech101, dtd]
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
const NAMES = ['cat', 'sea horse']
const DESCRIPTIONS = { cat: ['A small animal.', 'It purrs: {}.'], Sea_Horse: 'It lives in the sea.' }
const DESCRIPTIONS_YAML = `cat: &a
  - A small animal.
  - "It purrs: {}."
sea horse: It lives in the sea.
`

/** Prompts in a file, as a method takes them. */
const templates = (file: string, seeds: readonly Uint8Array[], words: readonly string[]): Reader =>
  runFile(file, file, seeds, async (folder) => promptsFor(NAMES, await templatesOf([join(folder, file)])), {
    text: true,
    words,
  })

export const runReaders: readonly Reader[] = [
  textReader('plan', [PLAN], (text) => parsePlan(text, 'plan.yaml'), YAML),
  templates('templates.json', [json(DESCRIPTIONS), json(['a photo of a {}.', 'art of the {}.'])], []),
  templates('templates.yaml', [encode(DESCRIPTIONS_YAML)], YAML),
  textReader('--set', ASSIGNMENTS, (text) => methodSettings(coop, { set: text.split('\n') }, new Map()), YAML),
  runFile('settings.json', RUN_FILES.settings, [json(SETTINGS)], async (folder) => {
    await heldBy(folder)
    return checkRunFolder(folder, { resume: true }, { ...SETTINGS, settings: { M: 4 } })
  }),
  runFile('results.json', RUN_FILES.results, [json(EXAMPLE)], readRecord),
  runFile(
    'metrics.jsonl',
    RUN_FILES.metrics,
    [encode([1, 2, 3].map((step) => `${JSON.stringify({ ...STEP, step })}\n`).join(''))],
    (folder) => readMetrics(join(folder, RUN_FILES.metrics)),
  ),
  runFile('learned.safetensors', RUN_FILES.learned, learned, (folder) => readSavedRun(folder), {
    shell: sealedHeader,
  }),
  kept('checkpoint', new Map([['ctx', ctx]]), (tensors) => tensors),
  kept(
    'judged',
    new Map([
      ['logits', floatTensor([4, 2])],
      ['folds', floatTensor([4], Float32Array.of(1, 2, 0, 1))],
    ]),
    (tensors) => judgedOf(tensors, LABELLED),
  ),
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
  inSweep('results in a report', `runs/${EXAMPLE.id}/${RUN_FILES.results}`, json(EXAMPLE)),
  inSweep('error.json', `runs/failed/${RUN_FILES.error}`, json({ message: 'out of memory', remedy: 'try again' })),
  inSweep('plan of a sweep that has begun', 'plan.yaml', encode(PLAN), (folder) => readSweepFolder(folder, false, {})),
  {
    name: 'claim.json',
    text: true,
    words: ['elsewhere', '-1', '4194304'],
    prepare(scratch) {
      const file = join(scratch, CLAIM)
      const claim = { host: hostname(), pid: 4194304, token: 'e1', since: '2026-01-02T03:04:05.000Z' }
      return {
        seeds: [json(claim), json({ ...claim, pid: 1 })],
        async read(input) {
          writeFileSync(file, input)
          utimesSync(file, 0, 0) // its owner has been silent for long; one elsewhere is waited for, and shows up
          const beat = setTimeout(() => utimesSync(file, 1, 1), 300)
          await withClaim(scratch, {}, async () => undefined).finally(() => clearTimeout(beat))
        },
      }
    },
  },
]
