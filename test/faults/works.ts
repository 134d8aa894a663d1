import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exists } from '../../src/node/run-folder.ts'
import { endOf, lastWords, type Running, start, type Way } from './process.ts'
import { type Result, resultOf } from './result.ts'
import type { World } from './world.ts'

/** Folders that a work writes into. It runs in the folder that `out` and `hub` are in, so that no path of it is in a result. */
export interface Folders {
  readonly folder: string
  readonly out: string
  readonly hub: string
  readonly cache: string
}

/** Something that a command makes. */
export interface Work {
  readonly name: string
  /** What is typed after `coop-ts`; its result is in `out`. */
  words(world: World, folders: Folders): readonly string[]
  /** Added where `out` has something already. */
  readonly again?: string
  /** How it refuses to do once more what was done. */
  readonly done?: RegExp
  /** Another program than coop-ts. */
  readonly program?: 'pretrain'
  /** Begins from a finished run, a copy of which it finds as `run` in `out`. */
  readonly run?: string
}

const common = ({ cache }: Folders) => ['--threads', '1', '--cache', cache]

function train(name: string, ...settings: readonly string[]): Work {
  return {
    name: `train ${name}`,
    again: '--resume',
    words: ({ tiny }, at) => [
      'train',
      tiny.photos,
      '--model',
      tiny.model,
      '--shots',
      '4',
      ...settings,
      ...common(at),
      '--out',
      'out',
    ],
  }
}
const method = (name: string, ...settings: readonly string[]) =>
  train(name, '--method', name, ...settings.flatMap((setting) => ['--set', setting]))

/** Methods by gradients, with checkpoints, and closed forms. */
export const TRAINS: readonly Work[] = [
  train('coop', '--context-length', '2', '--epochs', '60'),
  train('coop, calibrated', '--context-length', '2', '--epochs', '20', '--calibrate', '--sets', '0.8'),
  train('coop, fast', '--recipe', 'fast', '--context-length', '2', '--epochs', '40'),
  train('coop, class-specific', '--class-specific', '--context-length', '2', '--epochs', '30'),
  train('coop, online views', '--views', 'online', '--context-length', '2', '--epochs', '10'),
  method('kgcoop', 'M=2', 'epochs=30'),
  method('prograd', 'M=2', 'epochs=30'),
  method('cocoop', 'M=2', 'epochs=2'),
  method('clip-adapter', 'epochs=60'),
  method('tip-adapter-f', 'epochs=20'),
  method('taskres', 'epochs=60'),
  method('prolip'),
  method('lp++'),
  method('clap'),
  method('linear-probe'),
  method('gda'),
  method('ss-text'),
  method('best'),
  method('class-mean'),
  method('tip-adapter'),
]

/** Long enough for another process to come while it works. */
export const LONG: Work = train('coop, long', '--context-length', '2', '--epochs', '2000')

export const SWEEP: Work = {
  name: 'sweep',
  words: ({ plan }, at) => ['sweep', plan, '--parallel', '2', ...common(at), '--out', 'out'],
}

export const PRETRAIN: Work = { name: 'pretrain', program: 'pretrain', words: () => ['out'] }

export const DOWNLOAD: Work = {
  name: 'download',
  again: '--resume',
  words: ({ tiny }, at) => [
    'train',
    tiny.photos,
    '--model',
    'owner/tiny',
    '--method',
    'gda',
    '--shots',
    '2',
    ...common(at),
    '--out',
    'out',
  ],
}

/** Extraction into `cache` and from it into a file. */
export const features = (ending: string): Work => ({
  name: `features ${ending}`,
  words: ({ tiny }, at) => [
    'features',
    tiny.photos,
    '--model',
    tiny.model,
    ...common(at),
    '--out',
    `out/features${ending}`,
  ],
})

export const IMPORT: Work = {
  name: 'import',
  again: '--force',
  words: ({ official: { model, checkpoint } }) => [
    'import',
    checkpoint,
    '--model',
    model,
    '--position',
    'end',
    '--out',
    'out',
  ],
}

const COOP_RUN = 'train coop'
const MEANS_RUN = 'train class-mean'
const RUN = 'out/run'

const exporting = (format: string, of: string, ...more: readonly string[]): Work => ({
  name: `export ${format}`,
  again: '--force',
  run: of,
  words: (_, at) => ['export', RUN, '--format', format, ...more, ...common(at), '--out', 'out/exported'],
})

export const EXPORTS: readonly Work[] = [
  exporting('onnx', COOP_RUN),
  exporting('onnx-int8', COOP_RUN),
  exporting('weights', MEANS_RUN),
  exporting('transformers', COOP_RUN, '--float16'),
]

const predictions = (ending: string): Work => ({
  name: `evaluate ${ending}`,
  run: COOP_RUN,
  words: ({ tiny }, at) => [
    'evaluate',
    RUN,
    tiny.photos,
    '--test-share',
    '1',
    ...common(at),
    '--predictions',
    `out/p${ending}`,
  ],
})

export const EVALUATES: readonly Work[] = [
  ...['.csv', '.jsonl', '.parquet', '.npy', '.safetensors'].map(predictions),
  {
    name: 'classify',
    run: COOP_RUN,
    words: ({ tiny }, at) => ['classify', RUN, tiny.photos, ...common(at), '--predictions', 'out/p.csv'],
  },
  {
    name: 'zero-shot',
    words: ({ tiny }, at) => [
      'zero-shot',
      tiny.photos,
      '--model',
      tiny.model,
      ...common(at),
      '--predictions',
      'out/p.csv',
    ],
  },
]
export const FEATURES: readonly Work[] = ['.csv', '.jsonl', '.parquet', '.npy', '.safetensors'].map(features)

export const INSPECT: Work = {
  name: 'inspect',
  run: MEANS_RUN,
  words: (_, at) => ['inspect', RUN, ...common(at)],
}

/** One more class in a finished run. */
export const ADD: Work = {
  name: 'add',
  run: COOP_RUN,
  words: (_, at) => ['add', RUN, 'zebra', ...common(at)],
  done: /knows the class "zebra" already/,
}

export const SAMPLES: Work = { name: 'samples', again: '--force', words: () => ['samples', 'sports', 'out/samples'] }

/** The report of a finished sweep. */
export const REPORT: Work = {
  name: 'report',
  run: 'sweep',
  words: () => ['report', RUN, '--figures', '--tensorboard', 'out/events'],
}

const works = new Map([...TRAINS, SWEEP].map((work) => [work.name, work]))

/** Those that are refused a place to write to, and tried again with one. */
export const REFUSED: readonly Work[] = [
  ...TRAINS,
  SWEEP,
  DOWNLOAD,
  ...FEATURES,
  IMPORT,
  ...EXPORTS,
  ...EVALUATES,
  INSPECT,
  REPORT,
]

export const strike = fileURLToPath(new URL('preload/strike.js', import.meta.url))

/** Starts a work, or goes on with it. */
export async function begin(work: Work, world: World, folders: Folders, way: Way = {}): Promise<Running> {
  const goesOn = work.again !== undefined && (await exists(work.run ? join(folders.out, 'exported') : folders.out))
  const env = { HF_ENDPOINT: world.hub.endpoint, HF_HOME: folders.hub, ...way.env }
  const words = [...work.words(world, folders), ...(goesOn ? [work.again ?? ''] : [])]
  return start([world.program[work.program ?? 'coop'], ...words], { ...way, env, cwd: way.cwd ?? folders.folder })
}

/** A folder with what a work begins from. */
export async function prepared(work: Work, world: World, folders: Folders): Promise<void> {
  if (work.run === undefined) return
  const { folders: from } = await referenceOf(work.run, world)
  await mkdir(folders.out, { recursive: true })
  await cp(from.out, join(folders.folder, RUN), { recursive: true })
}

/** A work that nothing disturbed. */
export interface Reference {
  readonly folders: Folders
  readonly result: Result
  /** Milliseconds that it takes, last time it was seen. */
  ms: number
  /** Changes that it makes to files. */
  readonly changes: number
}

const references = new WeakMap<World, Map<string, Promise<Reference>>>()

/** The undisturbed result of a work, which is done once. */
export function referenceOf(work: Work | string, world: World): Promise<Reference> {
  const found = typeof work === 'string' ? works.get(work) : work
  if (found === undefined) throw new RangeError(`there is no work ${work}`)
  const known = references.get(world) ?? new Map<string, Promise<Reference>>()
  references.set(world, known)
  const made = known.get(found.name) ?? makeReference(found, world)
  known.set(found.name, made)
  return made
}

async function makeReference(work: Work, world: World): Promise<Reference> {
  const folders = foldersIn(await mkdtemp(join(world.scratch, 'reference-')), world)
  await prepared(work, world, folders)
  const count = `${folders.out}.changes`
  const way = { node: ['--import', strike], env: { FAULTS_COUNT: count } }
  const end = await endOf(await begin(work, world, folders, way))
  if (end.status !== 0) throw new Error(`${work.name}, undisturbed: ${lastWords(end)}`)
  const changes = work.program ? 100 : Number(await readFile(count, 'utf8'))
  await rm(count, { force: true })
  return { folders, result: await resultOf(folders.out), ms: end.ms, changes }
}

/** Folders of an attempt; the cache of features is one for all, which only grows. */
export const foldersIn = (folder: string, { scratch }: World): Folders => ({
  folder,
  out: join(folder, 'out'),
  hub: join(folder, 'hub'),
  cache: join(scratch, 'cache'),
})
