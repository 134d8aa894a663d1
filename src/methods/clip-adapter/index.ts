import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { DivergedError } from '../../base/errors.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass } from '../../learning/labelled-rows.ts'
import { defaultEpochs } from '../../learning/schedule.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { anyNumber, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { adapterLogits, adapterStep, DOWN, hiddenOf, randomAdapter, UP } from './adapter.ts'

const settings = z.strictObject({
  templates: templatesSetting,
  /** Share of the adapter's output in the feature; the rest is the encoder's. */
  ratio: anyNumber(0, 1).default(0.2),
  /** The bottleneck is that many times narrower than the feature. */
  reduction: anyNumber(1, 10_000).default(4),
  /** Default: those of CoOp for that many shots, by whose command the official code is run. */
  epochs: wholeNumber(1, MAX_EPOCHS).optional(),
  batchSize: wholeNumber(1, MANY).default(32),
  learningRate: positiveNumber(MAX_RATE).default(0.002),
})

/** A small network after the image encoder; prompts stay as written by hand. */
export const clipAdapter = defineMethod({
  name: 'clip-adapter',
  summary: 'hand-written prompts, and a learned bottleneck on the image features',
  source:
    'Gao et al., "CLIP-Adapter: Better Vision-Language Models with Feature Adapters", IJCV 2023 (github.com/gaopengcuhk/CLIP-Adapter)',
  pictures: 'views',
  settings,
  title: ({ ratio }) => (ratio === 0.2 ? 'CLIP-Adapter' : `CLIP-Adapter, ratio ${ratio}`),
  // the adapter knows no classes, but was only ever asked to tell its own apart
  transfers: () => true,

  async learn(task, settings, options) {
    const { clip, classNames, train, shots, seed } = task
    const { ratio, reduction, epochs = defaultEpochs(shots) } = settings
    const { embedDim } = clip.config
    checkEachClass(train, classNames, embedDim)
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const hidden = hiddenOf(embedDim, reduction)
    const start = randomAdapter(embedDim, hidden, seed)
    const program = (batch: number) => adapterStep(clip, text, hidden, ratio, batch)
    return learnByRecipe(task, { ...settings, epochs }, { program, start }, options).catch((error: unknown) => {
      if (!(error instanceof DivergedError) || ratio < 1) throw error
      const remedy =
        'with ratio=1 nothing is left of a feature for which the adapter gives zeros, and zeros have no direction: set a ratio below 1'
      throw new DivergedError(error.message, remedy, { cause: error })
    })
  },

  async classifier(classes, settings, learned) {
    const { clip } = classes
    const { embedDim } = clip.config
    const hidden = hiddenOf(embedDim, settings.reduction)
    const down = learnedTensor(learned, DOWN, [hidden, embedDim])
    const up = learnedTensor(learned, UP, [embedDim, hidden])
    const text = await zeroShotFeatures(withTemplates(classes, settings))
    return graphClassifier(classes, (x) => {
      const { graph } = x
      const values = { down: graph.weight(DOWN, down), up: graph.weight(UP, up), text: graph.weight('text', text) }
      return adapterLogits(clip, x, values, settings.ratio)
    })
  },
})
