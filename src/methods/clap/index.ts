import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { shuffled } from '../../learning/batches.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { checkEachClass } from '../../learning/labelled-rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { meanTextFeatures } from '../zero-shot/features.ts'
import { learnClap } from './learn.ts'

/** A linear probe that starts as zero-shot, and stays near it in the classes that hand-written prompts tell well. */
export const clap = defineMethod({
  name: 'clap',
  summary: 'linear probe from the hand-written prompts, each class held to its own as far as that is right',
  source:
    'Silva-Rodriguez et al., "A Closer Look at the Few-Shot Adaptation of Large Vision-Language Models", CVPR 2024 (github.com/jusiro/CLAP)',
  pictures: 'views',
  // defaults: the official configuration SGD_lr1e-1_B256_ep300
  settings: z.strictObject({
    templates: templatesSetting,
    epochs: wholeNumber(1, MAX_EPOCHS).default(300),
    batchSize: wholeNumber(1, MANY).default(256),
    learningRate: positiveNumber(MAX_RATE).default(0.1),
  }),
  title: () => 'CLAP',
  transfers: () => false,

  async learn(task, settings, options) {
    const { clip, classNames, train } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await meanTextFeatures(withTemplates(task, settings))
    const { tensors, steps, multipliers } = await learnClap(task, text, settings, shuffled(task.seed), options)
    return { tensors, steps, facts: { epochs: settings.epochs, multipliers: Array.from(multipliers.data) } }
  },

  async classifier(classes, _, learned) {
    const { clip, classNames } = classes
    const weights = learnedTensor(learned, 'weights', [classNames.length, clip.config.embedDim])
    return textClassifier(classes, normaliseRows(weights))
  },
})
