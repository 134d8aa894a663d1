import { z } from 'zod'
import { mapLimited } from '../../base/overlap.ts'
import { type FloatTensor, floatTensor } from '../../graph/index.ts'
import { fitTemperature } from '../../learning/calibration.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { type Fold, foldsOf, judgedImages } from '../../learning/folds.ts'
import { checkEachClass, type LabelledRows, meanViews, someRows } from '../../learning/labelled-rows.ts'
import { logitFactor, unitRows } from '../../learning/logits.ts'
import { argmaxRows, normaliseRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { linearLogits, modelTensors } from '../linear-probe/linear-model.ts'
import { principalAxes } from '../linear-probe/principal-axes.ts'
import { defineMethod } from '../method.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { CANDIDATES, type Learner, learnerOf, outputsOf, priorWeights, sumOf } from './candidates.ts'
import { fitMix, lossOfMix } from './mix.ts'

/** Folds of the cross-validation: with ten what they learn from is nearly everything; of many images half as many cost half. */
const FOLDS = { few: 10, many: 5, from: 500 }
/** Images that the weights taken where nothing is known count for. */
const PRIOR_STRENGTH = 100

/**
 * Several classifiers, weighted by how well each tells images apart that it has not seen: cross-validation on the shots
 * themselves, no validation images and nothing to set.
 */
export const best = defineMethod({
  name: 'best',
  summary: 'a mixture of zero-shot, GDA and linear probes, weighted by cross-validation on the shots',
  source:
    'docs/best.md; stacking: Wolpert, "Stacked Generalization", Neural Networks 1992; Breiman, "Stacked Regressions", Machine Learning 1996',
  pictures: 'plain',
  settings: z.strictObject({ templates: templatesSetting }),
  title: () => 'best',
  transfers: () => false,
  chosen: () => 'cross-validated on the shots',

  async learn(task, settings, options) {
    const { clip, runtime, classNames, train, seed } = task
    checkEachClass(train, classNames, clip.config.embedDim)
    const { x, labels } = await meanViews(train)
    const rows = { x: normaliseRows(x), labels }
    const [text, axes] = await Promise.all([
      zeroShotFeatures(withTemplates(task, settings)),
      principalAxes(rows.x.data, labels.length, clip.config.embedDim),
    ])
    const all = Array.from(labels.keys())
    const learner = await learnerOf(runtime, rows, axes, text, logitFactor(clip))
    const folds = foldsOf(labels, { folds: labels.length < FOLDS.from ? FOLDS.few : FOLDS.many, seed })
    let done = 0
    const learn = async (images: readonly number[]) => {
      const models = await learner.learn(images, options.signal)
      options.onProgress?.({ kind: 'train', done: ++done, total: folds.length + 1 })
      options.signal?.throwIfAborted()
      return models
    }
    const work = [judgedBy({ ...learner, learn }, runtime, rows, folds, classNames.length), learn(all)] as const
    const [parts, models] = await Promise.all(work).finally(async () => {
      await Promise.allSettled(work)
      await learner.dispose()
    })
    const judged = judgedImages(folds)
    const own = judged.map((i) => labels[i]!)
    const prior = { towards: priorWeights(judged.length > 0), strength: PRIOR_STRENGTH }
    const weights = await fitMix(parts, own, prior)

    const logits = mixtureOf(parts, weights)
    const growth = growthOf(labels.length, folds)
    const grown = weights.map((w) => growth * w)
    return {
      tensors: new Map(Object.entries(modelTensors(sumOf(models, grown)))),
      facts: {
        folds: folds.length,
        judged: judged.length,
        growth,
        ...(await judgement(logits, own)),
        candidates: await Promise.all(
          CANDIDATES.map(async (name, k) => ({
            name,
            weight: weights[k],
            ...(await judgement(parts[k]!, own, true)),
          })),
        ),
        note: folds.length === 0 ? 'one image a class: there is nothing to cross-validate by' : undefined,
      },
      steps: [],
      outOfFold: { images: judged, labels: own, logits },
    }
  },

  async classifier(classes, _, learned) {
    const n = classes.classNames.length
    const weights = learnedTensor(learned, 'weights', [n, classes.clip.config.embedDim])
    const intercepts = learnedTensor(learned, 'intercepts', [n])
    return graphClassifier(classes, (x) => linearLogits(unitRows(x), { weights, intercepts }))
  },
})

/** Logits `(judged images, classes)` of each candidate, by what it learned without them; as many folds at a time as have room. */
async function judgedBy(
  learner: Learner,
  runtime: Runtime,
  { x }: LabelledRows,
  folds: readonly Fold[],
  classes: number,
): Promise<FloatTensor[]> {
  const rowOf = new Map(judgedImages(folds).map((image, row) => [image, row]))
  const parts = CANDIDATES.map(() => floatTensor([rowOf.size, classes]))
  // one more is at work beside them: that of all images
  await mapLimited(folds, Math.max(1, learner.atOnce - 1), async ({ train, held }) => {
    const models = await learner.learn(train)
    for (const [k, model] of models.entries()) {
      const { data } = await outputsOf(runtime, model, someRows(x, held))
      for (const [i, image] of held.entries())
        parts[k]!.data.set(data.subarray(i * classes, (i + 1) * classes), rowOf.get(image)! * classes)
    }
  })
  return parts
}

/**
 * How much surer the mixture may be that learned from all n images than those of the folds were right to be, who learned from
 * fewer: by sqrt(n / images of a fold). docs/best.md has the measurement.
 */
function growthOf(n: number, folds: readonly Fold[]): number {
  const seen = folds.reduce((sum, { train }) => sum + train.length, 0) / folds.length
  return folds.length === 0 ? 1 : Math.sqrt(n / seen)
}

/** Cross-validated accuracy and mean cross-entropy, `tempered`: at the temperature that is best for it. */
async function judgement(logits: FloatTensor, labels: readonly number[], tempered = false) {
  if (labels.length === 0) return {}
  const right = argmaxRows(logits).filter((c, i) => c === labels[i]).length
  const temperature = tempered ? await fitTemperature(logits, labels) : 1
  return { accuracy: right / labels.length, logLoss: await lossOfMix([logits], labels, [1 / temperature]) }
}

function mixtureOf(parts: readonly FloatTensor[], weights: readonly number[]): FloatTensor {
  const mixture = floatTensor(parts[0]?.shape ?? [0, 0])
  for (const [k, { data }] of parts.entries()) {
    for (let i = 0; i < data.length; i++) mixture.data[i]! += weights[k]! * data[i]!
  }
  return mixture
}
