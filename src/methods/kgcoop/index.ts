import { z } from 'zod'
import { shuffled } from '../../learning/batches.ts'
import { learnByGradients } from '../../learning/loop.ts'
import { sgd } from '../../learning/optimisers.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { checkTrainingSet } from '../../prompt/train.ts'
import { contextClassifier, contextWords, sharedContext, sharedContextSettings } from '../context.ts'
import { defineMethod } from '../method.ts'
import { templatesSetting } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { kgcoopStep } from './program.ts'

const settings = z.strictObject({
  /** lambda: what a distance of 1 from the hand-written prompts costs. */
  weight: z.number().min(0).default(8),
  /** Hand-written prompts instead of the data set's own; several are averaged. */
  templates: templatesSetting,
  ...sharedContextSettings,
  epochs: z.int().min(1).default(100),
  batchSize: z.int().min(1).default(128),
  learningRate: z.number().positive().default(0.002),
})

/** CoOp held close to the hand-written prompts, so that it does not forget what other classes need. */
export const kgcoop = defineMethod({
  name: 'kgcoop',
  summary: 'learned context vectors, held close to the hand-written prompts',
  source:
    'Yao, Zhang, Xu, "Visual-Language Prompt Tuning with Knowledge-Guided Context Optimization", CVPR 2023 (github.com/htyao89/KgCoOp)',
  settings,
  title: ({ weight, ...context }) =>
    ['KgCoOp', ...(weight === 8 ? [] : [`weight ${weight}`]), ...contextWords(context)].join(', '),
  transfers: () => true,
  check(task, settings) {
    sharedContext(task, settings)
  },

  async learn(task, settings, options) {
    const { clip, runtime, classNames, train: set, online, seed } = task
    const { ctx, layout } = sharedContext(task, settings)
    checkTrainingSet(set, layout, clip.config.embedDim)
    const handWritten = await zeroShotFeatures(clip, runtime, classNames, settings.templates ?? task.templates)
    const { tensors, steps } = await learnByGradients(
      {
        runtime,
        program: (batch) => kgcoopStep(clip, layout, handWritten, settings.weight, batch),
        start: new Map([['ctx', ctx]]),
        set,
        online,
        epochs: settings.epochs,
        batchSize: settings.batchSize,
        order: shuffled(seed),
        optimiser: sgd,
        learningRate: (epoch) => learningRateOf(settings, epoch),
      },
      options,
    )
    return { tensors, steps, facts: { epochs: settings.epochs } }
  },

  classifier: (classes, { position }, learned) =>
    contextClassifier(classes, { position, classSpecific: false }, learned),
})
