import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { checkEachClass } from '../../learning/labelled-rows.ts'
import { adam } from '../../learning/optimisers.ts'
import { defaultEpochs } from '../../learning/schedule.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { anyNumber, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { meanTextFeatures } from '../zero-shot/features.ts'
import { RESIDUALS, shiftedText, taskResStep } from './program.ts'

const settings = z.strictObject({
  templates: templatesSetting,
  /** Weight of what is learned beside the text features. */
  alpha: anyNumber(0, MANY).default(0.5),
  /** Default: the official ones for that many shots. */
  epochs: wholeNumber(1, MAX_EPOCHS).optional(),
  batchSize: wholeNumber(1, MANY).default(256),
  learningRate: positiveNumber(MAX_RATE).default(0.002),
})

/** As Dassl makes it, which trains the official code. */
export const OPTIMISER = adam({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 5e-4 })

/** Twice as many as CoOp's for one shot, else as many. */
const epochsFor = (shots: number) => (shots <= 4 ? 100 : defaultEpochs(shots))

/** A learned vector for each class, added to the text feature of its hand-written prompts. */
export const taskRes = defineMethod({
  name: 'taskres',
  summary: 'hand-written prompts, and a learned residual on the text feature of each class',
  source: 'Yu et al., "Task Residual for Tuning Vision-Language Models", CVPR 2023 (github.com/geekyutao/TaskRes)',
  pictures: 'views',
  settings,
  title: ({ alpha }) => (alpha === 0.5 ? 'TaskRes' : `TaskRes, alpha ${alpha}`),
  transfers: () => false,

  async learn(task, settings, options) {
    const { clip, classNames, train, shots } = task
    const { alpha, epochs = epochsFor(shots) } = settings
    checkEachClass(train, classNames, clip.config.embedDim)
    const base = await meanTextFeatures(withTemplates(task, settings))
    const program = (batch: number) => taskResStep(clip, base, alpha, batch)
    const start = new Map([[RESIDUALS, floatTensor(base.shape)]])
    return learnByRecipe(task, { ...settings, epochs }, { program, start, optimiser: OPTIMISER }, options)
  },

  async classifier(classes, settings, learned) {
    const shape = [classes.classNames.length, classes.clip.config.embedDim]
    const residuals = learnedTensor(learned, RESIDUALS, shape)
    const base = await meanTextFeatures(withTemplates(classes, settings))
    return textClassifier(classes, shiftedText(base, residuals, settings.alpha))
  },
})
