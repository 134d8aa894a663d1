import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { dims, type FloatTensor } from '../../graph/index.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass, type LabelledRows, meanViews } from '../../learning/labelled-rows.ts'
import { logitFactor, unitRows } from '../../learning/logits.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { type LinearModel, linearLogits, modelTensors, predict } from '../linear-probe/linear-model.ts'
import { defineMethod } from '../method.ts'
import { anyNumber } from '../numbers.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { type Discriminant, fitDiscriminant } from './discriminant.ts'

/** Weights of the Gaussians that are tried on validation images, as in the official code. */
const ALPHAS = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100]
/**
 * Taken where there are no images to search it by: (N - 1) / d, with which alpha P is the inverse of the covariance itself.
 * The official P is that much smaller, the more so the more samples there are.
 */
const defaultAlpha = ({ samples }: Discriminant, d: number) => (samples - 1) / d

/** Zero-shot logits plus those of a Gaussian for each class, all of one covariance; nothing is learned by gradients. */
export const gda = defineMethod({
  name: 'gda',
  summary: 'hand-written prompts and a Gaussian for each class, without training',
  source:
    'Wang et al., "A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation", ICLR 2024 (github.com/mrflogs/ICLR24)',
  pictures: 'views',
  settings: z.strictObject({
    templates: templatesSetting,
    /** Weight of the Gaussians; null: searched on the validation images. */
    alpha: anyNumber(0, MANY).nullable().default(null),
  }),
  title: ({ alpha }) => (alpha === null ? 'GDA' : `GDA, alpha=${alpha}`),
  transfers: () => false,
  validates: ({ alpha }) => alpha === null,

  async learn(task, settings, { signal }) {
    const { clip, runtime, classNames, train, val } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const text = await zeroShotFeatures(withTemplates(task, settings))
    const gaussians = await fitDiscriminant(runtime, train, classNames.length, signal)
    const scale = logitFactor(clip)
    const searched = settings.alpha === null && val.labels.length > 0
    const facts = searched
      ? await searchAlpha(runtime, scale, text, gaussians, await meanViews(val))
      : { alpha: settings.alpha ?? defaultAlpha(gaussians, clip.config.embedDim) }
    return {
      tensors: new Map(Object.entries(modelTensors(mixed(scale, text, gaussians, facts.alpha)))),
      facts: {
        ...facts,
        searched,
        note: gaussians.spread ? undefined : 'the pictures of a class do not differ: this is zero-shot',
      },
      steps: [],
    }
  },

  async classifier(classes, _, learned) {
    const n = classes.classNames.length
    const weights = learnedTensor(learned, 'weights', [n, classes.clip.config.embedDim])
    const intercepts = learnedTensor(learned, 'intercepts', [n])
    return graphClassifier(classes, (x) => linearLogits(unitRows(x), { weights, intercepts }))
  },
})

/**
 * For features x of length 1:  logits_c = scale t_c . x + alpha (w_c . x + b_c)
 *
 * @param text t, `(classes, d)` of length 1
 */
export function mixed(
  scale: number,
  text: FloatTensor,
  { weights, intercepts }: Discriminant,
  alpha: number,
): LinearModel {
  const [classes, d] = dims(text, 2, 'text features')
  return {
    classes,
    d,
    weights: weights.map((w, k) => scale * text.data[k]! + alpha * w),
    intercepts: intercepts.map((b) => alpha * b),
  }
}

/** The alpha of ALPHAS with the most images right, the first of several; 0.1 where none has any, as in the official code. */
export async function searchAlpha(
  runtime: Runtime,
  scale: number,
  text: FloatTensor,
  gaussians: Discriminant,
  { x, labels }: LabelledRows,
): Promise<{ readonly alpha: number; readonly valAccuracy: number }> {
  const rows = normaliseRows(x)
  let best = { alpha: 0.1, right: 0 }
  for (const alpha of ALPHAS) {
    const predicted = await predict(runtime, mixed(scale, text, gaussians, alpha), rows)
    const right = labels.filter((label, i) => predicted[i] === label).length
    if (right > best.right) best = { alpha, right }
  }
  return { alpha: best.alpha, valAccuracy: best.right / labels.length }
}
