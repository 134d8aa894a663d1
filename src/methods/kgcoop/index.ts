import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { checkTrainingSet } from '../../learning/batches.ts'
import { contextClassifier, contextOf, contextWords, sharedContextSettings } from '../context.ts'
import { defineMethod } from '../method.ts'
import { anyNumber, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { kgcoopStep } from './program.ts'

const settings = z.strictObject({
  /** lambda: what a distance of 1 from the hand-written prompts costs. */
  weight: anyNumber(0, MANY).default(8),
  /** Hand-written prompts instead of the data set's own; several are averaged. */
  templates: templatesSetting,
  ...sharedContextSettings,
  epochs: wholeNumber(1, MAX_EPOCHS).default(100),
  batchSize: wholeNumber(1, MANY).default(128),
  learningRate: positiveNumber(MAX_RATE).default(0.002),
})

/** CoOp held close to the hand-written prompts, so that it does not forget what other classes need. */
export const kgcoop = defineMethod({
  name: 'kgcoop',
  summary: 'learned context vectors, held close to the hand-written prompts',
  source:
    'Yao, Zhang, Xu, "Visual-Language Prompt Tuning with Knowledge-Guided Context Optimization", CVPR 2023 (github.com/htyao89/KgCoOp)',
  pictures: 'views',
  costly: true,
  settings,
  title: ({ weight, ...context }) =>
    ['KgCoOp', ...(weight === 8 ? [] : [`weight ${weight}`]), ...contextWords(context)].join(', '),
  transfers: () => true,
  check: (task, settings) => {
    contextOf(task, { ...settings, classSpecific: false })
  },

  async learn(task, settings, options) {
    const { clip, classNames, train } = task
    const { ctx, layout } = contextOf(task, { ...settings, classSpecific: false })
    checkTrainingSet(train, classNames.length, clip.config.embedDim)
    const handWritten = await zeroShotFeatures(withTemplates(task, settings))
    const program = (batch: number) => kgcoopStep(clip, layout, handWritten, settings.weight, batch)
    return learnByRecipe(task, settings, { program, start: new Map([['ctx', ctx]]) }, options)
  },

  classifier: (classes, { position }, learned) =>
    contextClassifier(classes, { position, classSpecific: false }, learned),
})
