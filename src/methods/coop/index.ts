import { z } from 'zod'
import { stepsOf } from '../../learning/batches.ts'
import { defaultEpochs, learningRateOf, PAPER_WARMUP, WARMUPS } from '../../learning/schedule.ts'
import { readState, writeState } from '../../prompt/state.ts'
import { type LearningSettings, PAPER_SETTINGS, startOf, trainPrompt } from '../../prompt/train.ts'
import { contextClassifier, contextLength } from '../context.ts'
import { defineMethod, type Task } from '../method.ts'

export const coopSettings = z.strictObject({
  /** Context vectors; with `init` as many as it has tokens. */
  M: z.int().min(1).default(PAPER_SETTINGS.M),
  position: z.enum(['end', 'middle', 'front']).default(PAPER_SETTINGS.position),
  classSpecific: z.boolean().default(PAPER_SETTINGS.classSpecific),
  /** Words to start from; null: random vectors. */
  init: z.string().min(1).nullable().default(PAPER_SETTINGS.init),
  /** Default: the paper's for that many shots. */
  epochs: z.int().min(1).optional(),
  /** The paper's epochs times this, where `epochs` is left out: 0.25 for a first look at a quarter of the cost. */
  epochScale: z.number().positive().default(1),
  batchSize: z.int().min(1).default(PAPER_SETTINGS.batchSize),
  learningRate: z.number().positive().default(PAPER_SETTINGS.learningRate),
  warmup: z.enum(WARMUPS).default(PAPER_WARMUP.warmup),
  warmupEpochs: z.int().min(1).default(PAPER_WARMUP.warmupEpochs),
})
type Settings = z.output<typeof coopSettings>

/** Checkpoints are this many seconds apart. */
const CHECKPOINT_SECONDS = 10

/** Prompt learning, the paper's recipe. */
export const coop = defineMethod({
  name: 'coop',
  summary: 'learned context vectors around the class names',
  source: 'Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022 (github.com/KaiyangZhou/CoOp)',
  settings: coopSettings,
  title: ({ position, classSpecific, M, init, epochs, epochScale }) =>
    [
      `CoOp, ${position}`,
      ...(classSpecific ? ['class-specific'] : []),
      ...(init === null ? (M === PAPER_SETTINGS.M ? [] : [`M=${M}`]) : [`from "${init}"`]),
      ...(epochs === undefined && epochScale !== 1 ? [`${epochScale} x the epochs`] : []),
    ].join(', '),
  transfers: ({ classSpecific }) => !classSpecific,
  check(task, settings) {
    startOf({ ...task, settings: learningSettingsOf(task, settings) })
  },

  async learn(task, settings, { checkpoint, ...options }) {
    const { clip, runtime, classNames, train: set, online } = task
    const complete = learningSettingsOf(task, settings)
    const kept = await checkpoint?.read()
    let written = Date.now()
    const end = await trainPrompt(
      { clip, runtime, classNames, set, online, settings: complete },
      {
        ...options,
        ...(kept && { from: await readState(kept) }),
        async onEpoch(state) {
          if (checkpoint === undefined || Date.now() - written < CHECKPOINT_SECONDS * 1000) return
          await checkpoint.write(writeState(state))
          written = Date.now()
        },
      },
    )
    const perEpoch = stepsOf(set.labels.length, complete.batchSize)
    const steps = end.losses.map((loss, i) => ({
      step: i + 1,
      loss,
      learningRate: learningRateOf(complete, Math.floor(i / perEpoch)),
      gradientNorm: end.gradientNorms[i] ?? Number.NaN,
    }))
    return { tensors: new Map([['ctx', end.ctx]]), facts: { epochs: complete.epochs }, steps }
  },

  classifier: (classes, settings, learned) => contextClassifier(classes, settings, learned),
})

/** All that decides what CoOp learns, from settings that leave some of it to model, data set and shots. */
export function learningSettingsOf(
  { clip, shots, seed, epochs: own }: Pick<Task, 'clip' | 'shots' | 'seed' | 'epochs'>,
  settings: Settings,
): LearningSettings {
  const { epochScale, epochs = Math.ceil(epochScale * (own ?? defaultEpochs(shots))) } = settings
  return { ...settings, M: contextLength(clip, settings), epochs, seed }
}
