import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass, type LabelledRows, meanViews } from '../../learning/labelled-rows.ts'
import { unitRows } from '../../learning/logits.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { wholeNumber } from '../numbers.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { learnLp } from './learn.ts'
import { lpLogits } from './program.ts'

const settings = z.strictObject({
  templates: templatesSetting,
  /** Steps over all images. */
  iterations: wholeNumber(1, MANY).default(300),
})

/** A linear probe that blends image and text features, class by class; its step sizes follow from the features. */
export const lpPlusPlus = defineMethod({
  name: 'lp++',
  summary: 'linear probe on image features plus hand-written prompts, weighted for each class',
  source:
    'Huang et al., "LP++: A Surprisingly Strong Linear Probe for Few-Shot CLIP", CVPR 2024 (github.com/FereshteShakeri/FewShot-CLIP-Strong-Baseline)',
  pictures: 'views',
  settings,
  title: ({ iterations }) => (iterations === 300 ? 'LP++' : `LP++, ${iterations} iterations`),
  transfers: () => false,
  validates: () => true,

  async learn(task, settings, options) {
    const { clip, runtime, classNames, train, val } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await zeroShotFeatures(withTemplates(task, settings))
    return learnLp(runtime, await unitViews(train), await unitViews(val), text, settings.iterations, options)
  },

  async classifier(classes, settings, learned) {
    const n = classes.classNames.length
    const weight = learnedTensor(learned, 'weight', [n, classes.clip.config.embedDim])
    const bias = learnedTensor(learned, 'bias', [n])
    const alpha = learnedTensor(learned, 'alpha', [n])
    const text = await zeroShotFeatures(withTemplates(classes, settings))
    return graphClassifier(classes, (x) => {
      const { graph } = x
      return lpLogits(unitRows(x), {
        weight: graph.weight('weight', weight),
        bias: graph.weight('bias', bias),
        alpha: graph.weight('alpha', alpha),
        text: graph.weight('text', text),
      })
    })
  },
})

/** A row an image: the mean of its views, of length 1. */
async function unitViews(set: TrainingSet): Promise<LabelledRows> {
  const { x, labels } = await meanViews(set)
  return { x: normaliseRows(x), labels }
}
