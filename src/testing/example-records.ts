import type { Views } from '../pictures/views.ts'
import { type MeasuredRecord, measuredSchema } from '../trained/record.ts'

/** Made-up runs for the tests of the report: their figures measure nothing. */
export function exampleRecord(changes: Partial<MeasuredRecord> = {}): MeasuredRecord {
  const { dataset = 'caltech101', method = 'coop', shots = 16, seed = 1 } = changes
  return measuredSchema.parse({
    id: `${dataset}-${method}-${shots}-shot-seed-${seed}-0`,
    dataset,
    classes: 100,
    split: 'all',
    method,
    title: 'CoOp, end',
    settings: { M: 16, position: 'end', classSpecific: false, init: null, batchSize: 32, learningRate: 0.002 },
    shots,
    seed,
    model: { name: 'bundled', fingerprint: 'f00dcafe00000000' },
    transforms: '2021-10',
    views: 4,
    accuracy: 0.5,
    zeroShot: 0.4,
    elsewhere: {},
    facts: {},
    loss: { first: 2.5, last: 0.5 },
    collapsed: false,
    steps: 100,
    seconds: 2,
    environment: {
      coop: '0.1.0',
      onnxruntime: '1.30.0',
      node: 'v22.0.0',
      platform: 'linux x64',
      cpu: 'Example CPU',
      threads: 2,
      device: 'cpu',
      date: '2026-01-02T03:04:05.000Z',
    },
    ...changes,
  })
}

const SETTINGS = { M: 16, position: 'end', classSpecific: false, init: null, batchSize: 32, learningRate: 0.002 }

/** A method as a plan has it: settings, title, and how well it does on a data set of difficulty 0 to 1. */
interface Player {
  readonly method: string
  readonly title: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly skill: (shots: number) => number
  readonly learns: boolean
  readonly views: Views
}

const log2 = (shots: number) => Math.log2(shots) / 4
const coopPlayer = (title: string, changes: Readonly<Record<string, unknown>>, from: number, to: number): Player => {
  const skill = (shots: number) => from + (to - from) * log2(shots)
  return { method: 'coop', title, settings: { ...SETTINGS, ...changes }, skill, learns: true, views: 'online' }
}
const zeroShotPlayer: Player = {
  ...{ method: 'zero-shot', title: 'zero-shot', settings: {}, skill: () => 0.58, learns: false, views: 0 },
}

export const PLAYERS: Readonly<Record<string, Player>> = {
  zeroShot: zeroShotPlayer,
  ensemble: {
    ...zeroShotPlayer,
    title: 'zero-shot, 2 prompts',
    settings: { templates: ['a photo of a {}.', 'art of the {}.'] },
    skill: () => 0.6,
  },
  linearProbe: {
    ...{ method: 'linear-probe', title: 'linear probe', settings: {}, learns: true, views: 0 },
    skill: (shots: number) => 0.3 + 0.45 * log2(shots),
  },
  end: coopPlayer('CoOp, end', {}, 0.59, 0.74),
  middle: coopPlayer('CoOp, middle', { position: 'middle' }, 0.58, 0.73),
  endSpecific: coopPlayer('CoOp, end, class-specific', { classSpecific: true }, 0.42, 0.73),
  middleSpecific: coopPlayer('CoOp, middle, class-specific', { position: 'middle', classSpecific: true }, 0.4, 0.72),
  four: coopPlayer('CoOp, end, M=4', { M: 4 }, 0.6, 0.72),
  eight: coopPlayer('CoOp, end, M=8', { M: 8 }, 0.59, 0.73),
  words: coopPlayer('CoOp, end, from "a photo of a"', { init: 'a photo of a' }, 0.61, 0.73),
}

export interface Course {
  readonly players: readonly Player[]
  readonly datasets: readonly { name: string; classes: number; ease: number }[]
  readonly shots: readonly number[]
  readonly seeds: readonly number[]
  /** What all of its runs share. */
  readonly changes?: Partial<MeasuredRecord>
  /** Places where each run is measured as well, and how much easier they are. */
  readonly elsewhere?: Readonly<Record<string, number>>
}

/** Every run of a made-up sweep; the same each time. */
export function exampleRecords({
  players,
  datasets,
  shots,
  seeds,
  changes = {},
  elsewhere = {},
}: Course): MeasuredRecord[] {
  const tag = [changes.model?.name, changes.transforms, changes.split].filter(Boolean).join('-')
  return datasets.flatMap(({ name, classes, ease }) =>
    players.flatMap(({ method, title, settings, skill, learns, views }, p) =>
      (learns ? shots : [0]).flatMap((k) =>
        (learns ? seeds : seeds.slice(0, 1)).map((seed) => {
          const noise = 0.012 * Math.sin(7 * p + 3 * k + 11 * seed + 100 * ease)
          const accuracy = clamp(skill(Math.max(1, k)) + ease + (learns ? noise : 0))
          const there = Object.entries(elsewhere).map(([place, easier]) => [place, clamp(accuracy + easier)])
          return exampleRecord({
            id: [name, title, `${k}-shot`, `seed-${seed}`, tag]
              .filter(Boolean)
              .join('-')
              .replaceAll(/[^\w.-]+/g, '-'),
            ...{ dataset: name, classes, method, title, settings, shots: k, seed, views, accuracy },
            elsewhere: Object.fromEntries(there),
            steps: learns ? 50 * k : 0,
            seconds: learns ? 1.5 * k : 0.3,
            ...(learns && method === 'coop' ? {} : { loss: null }),
            ...changes,
          })
        }),
      ),
    ),
  )
}

const clamp = (value: number): number => Math.max(0, Math.min(1, Number(value.toFixed(6))))

export const DATASETS = [
  { name: 'oxford_pets', classes: 37, ease: 0.25 },
  { name: 'oxford_flowers', classes: 102, ease: 0.12 },
  { name: 'fgvc_aircraft', classes: 100, ease: -0.38 },
  { name: 'dtd', classes: 47, ease: -0.14 },
  { name: 'eurosat', classes: 10, ease: 0.02 },
  { name: 'stanford_cars', classes: 196, ease: -0.03 },
  { name: 'food101', classes: 101, ease: 0.16 },
  { name: 'sun397', classes: 397, ease: 0 },
  { name: 'caltech101', classes: 100, ease: 0.2 },
  { name: 'ucf101', classes: 101, ease: 0.04 },
  { name: 'imagenet', classes: 1000, ease: -0.05 },
]
