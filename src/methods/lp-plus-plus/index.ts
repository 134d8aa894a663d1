import { z } from 'zod'
import { floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { normaliseRows, rowProducts } from '../../learning/vectors.ts'
import { featureClassifier, learnedTensor } from '../feature-classifier.ts'
import { defineMethod } from '../method.ts'
import { templatesSetting } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { learnLp } from './learn.ts'

const settings = z.strictObject({
  templates: templatesSetting,
  /** Steps over all images. */
  iterations: z.int().min(1).default(300),
})

/** A linear probe that blends image and text features, class by class; its step sizes follow from the features. */
export const lpPlusPlus = defineMethod({
  name: 'lp++',
  summary: 'linear probe on image features plus hand-written prompts, weighted class by class',
  source:
    'Huang et al., "LP++: A Surprisingly Strong Linear Probe for Few-Shot CLIP", CVPR 2024 (github.com/FereshteShakeri/FewShot-CLIP-Strong-Baseline)',
  settings,
  title: ({ iterations }) => (iterations === 300 ? 'LP++' : `LP++, ${iterations} iterations`),
  transfers: () => false,

  async learn(task, settings, options) {
    const { clip, runtime, classNames, templates, train, val } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await zeroShotFeatures(clip, runtime, classNames, settings.templates ?? templates)
    return learnLp(runtime, unitRows(train), unitRows(val), text, settings.iterations, options)
  },

  async classifier(task, settings, learned) {
    const { clip, runtime, classNames, templates } = task
    const classes = classNames.length
    const weight = learnedTensor(learned, 'weight', [classes, clip.config.embedDim])
    const bias = learnedTensor(learned, 'bias', [classes]).data
    const alpha = learnedTensor(learned, 'alpha', [classes]).data
    const text = await zeroShotFeatures(clip, runtime, classNames, settings.templates ?? templates)
    return featureClassifier(task, (features) => {
      const x = normaliseRows(features)
      const [fromImages, fromText] = [rowProducts(x, weight), rowProducts(x, text)]
      return floatTensor(
        fromImages.shape,
        fromImages.data.map((w, i) => w + bias[i % classes]! + alpha[i % classes]! * fromText.data[i]!),
      )
    })
  },
})

/** A row an image: the mean of its views, of length 1. */
function unitRows(set: TrainingSet) {
  const { x, labels } = meanViews(set)
  return { x: normaliseRows(x), labels }
}
