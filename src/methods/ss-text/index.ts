import { z } from 'zod'
import { textClassifier } from '../../learning/classifier.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { logitFactor } from '../../learning/logits.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { closedFormWeights, PENALTIES } from './weights.ts'

/** Text features and image features of each class in one sum, after its number of images; nothing is searched. */
export const ssText = defineMethod({
  name: 'ss-text',
  summary: 'hand-written prompts and image features in one sum for each class, also where classes are unequal',
  source:
    'Silva-Rodriguez et al., "Few-Shot, Now for Real: Medical VLMs Adaptation without Balanced Sets or Validation", MICCAI 2025 (github.com/jusiro/SS-Text)',
  pictures: 'plain',
  settings: z.strictObject({
    templates: templatesSetting,
    penalty: z.enum(PENALTIES).default('shots'),
    /** Whether weights are pushed as in the official SS-Text+. */
    repel: z.boolean().default(false),
  }),
  title: ({ penalty, repel }) =>
    ['SS-Text', penalty !== 'shots' && `penalty by ${penalty}`, repel && 'repelling'].filter(Boolean).join(', '),
  transfers: () => false,

  async learn(task, settings) {
    const { clip, classNames, train } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const weights = await closedFormWeights(await meanViews(train), text, logitFactor(clip), settings)
    return { tensors: new Map([['weights', weights]]), facts: {}, steps: [] }
  },

  async classifier(classes, _, learned) {
    const { clip, classNames } = classes
    return textClassifier(classes, learnedTensor(learned, 'weights', [classNames.length, clip.config.embedDim]))
  },
})
