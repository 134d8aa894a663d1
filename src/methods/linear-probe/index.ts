import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { graphClassifier } from '../../learning/classifier.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { positiveNumber, wholeNumber } from '../numbers.ts'
import { linearLogits, modelTensors } from './linear-model.ts'
import type { Fit } from './logistic-regression.ts'
import { fitsOfSearch, probeAt, SOLVERS, searchedProbe } from './probe.ts'

/** The C of scikit-learn, taken where there are no images to search it by. */
const DEFAULT_C = 1

/** Logistic regression on the image features as the encoder gives them, as CoOp's `lpclip` does it. */
export const linearProbe = defineMethod({
  name: 'linear-probe',
  summary: 'logistic regression on image features, its strength chosen by validation images',
  source:
    'Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, A.3; lpclip of github.com/KaiyangZhou/CoOp',
  pictures: 'plain',
  settings: z.strictObject({
    /** Inverse strength of the penalty, as scikit-learn's; null: searched on the validation images. */
    C: positiveNumber(1e12).nullable().default(null),
    /** Rounds of bisection after the coarse search. */
    rounds: wholeNumber(0, 100).default(8),
    maxIterations: wholeNumber(1, MANY).default(1000),
    /** `exact`: each fit goes to its optimum; `lpclip`: it stops where the official code's does. */
    solver: z.enum(SOLVERS).default('exact'),
  }),
  title: ({ C, solver }) =>
    ['linear probe', C !== null && `C=${C}`, solver !== 'exact' && `solver ${solver}`].filter(Boolean).join(', '),
  transfers: () => false,
  validates: ({ C }) => C === null,

  async learn({ clip, runtime, classNames, train, val }, { C, ...search }, { onProgress, signal }) {
    checkEachClass(train, classNames, clip.config.embedDim)
    const classes = classNames.length
    const rows = await meanViews(train)
    const stop = signal && { signal }
    if (C === null && val.labels.length > 0) {
      let fits = 0
      const total = fitsOfSearch(search.rounds)
      const onFit = () => onProgress?.({ kind: 'train', done: ++fits, total })
      const found = await searchedProbe(runtime, rows, await meanViews(val), classes, { ...search, ...stop, onFit })
      const { C, tried } = found
      return learned(found.fit, { C, valAccuracy: tried.find((fit) => fit.C === C)?.valAccuracy, tried })
    }
    const fit = await probeAt(runtime, rows, classes, C ?? DEFAULT_C, { ...search, ...stop })
    return learned(fit, { C: C ?? DEFAULT_C, ...(C === null && { note: 'no validation images to search C by' }) })
  },

  async classifier(classes, _, learned) {
    const n = classes.classNames.length
    const weights = learnedTensor(learned, 'weights', [n, classes.clip.config.embedDim])
    const intercepts = learnedTensor(learned, 'intercepts', [n])
    return graphClassifier(classes, (x) => linearLogits(x, { weights, intercepts }))
  },
})

function learned(fit: Fit, facts: Readonly<Record<string, unknown>>) {
  const { iterations, converged } = fit
  return { tensors: new Map(Object.entries(modelTensors(fit))), facts: { ...facts, iterations, converged }, steps: [] }
}
