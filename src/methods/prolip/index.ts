import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { projectionName } from '../../clip/towers/image-tower.ts'
import { weightOf } from '../../clip/weights/parameters.ts'
import { shuffled } from '../../learning/batches.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass } from '../../learning/labelled-rows.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { anyNumber, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { prolipLogits } from './program.ts'
import { trainProlip } from './train.ts'

const settings = z.strictObject({
  templates: templatesSetting,
  /** What it costs to leave the model's own projection; null: 1 / shots, which the paper takes without validation images. */
  lambda: anyNumber(0, MANY).nullable().default(null),
  /** The official code has 300, with which the loss ends where it ends with these. */
  epochs: wholeNumber(1, MAX_EPOCHS).default(100),
  /** More images than these are learned from in several steps an epoch; the official code takes all in one. */
  batchSize: wholeNumber(1, MANY).default(4096),
  learningRate: positiveNumber(MAX_RATE).default(0.001),
})

/** The image tower's last projection, fine-tuned and held close to what it was; prompts stay as written by hand. */
export const prolip = defineMethod({
  name: 'prolip',
  summary: "hand-written prompts, and the image tower's last projection fine-tuned close to the model's own",
  source:
    'Fahes et al., "CLIP\'s Visual Embedding Projector is a Few-shot Cornucopia", arXiv 2410.05270, 2024 (github.com/astra-vision/ProLIP)',
  pictures: 'views',
  settings,
  title: ({ lambda, learningRate }) =>
    ['ProLIP', lambda !== null && `lambda ${lambda}`, learningRate !== 0.001 && `rate ${learningRate}`]
      .filter(Boolean)
      .join(', '),
  // the projection knows no classes
  transfers: () => true,

  async learn(task, settings, options) {
    const { clip, classNames, train, shots, seed } = task
    const { lambda, ...training } = settings
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const whole = { ...training, lambda: lambda ?? 1 / shots }
    const learned = await trainProlip(clip, task, text, whole, shuffled(seed), options)
    return { ...learned, facts: { lambda: whole.lambda, epochs: settings.epochs } }
  },

  async classifier(classes, settings, learned) {
    const { clip } = classes
    const name = projectionName(clip.config)
    const projection = learnedTensor(learned, name, weightOf(clip.weights, name).shape)
    const text = await zeroShotFeatures(withTemplates(classes, settings))
    const logitsOf: Parameters<typeof graphClassifier>[1] = (x) =>
      prolipLogits(clip, x, x.graph.weight(name, projection), x.graph.weight('text', text))
    return graphClassifier(classes, logitsOf, 'trunk')
  },
})
