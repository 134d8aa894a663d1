import { z } from 'zod'
import { UsageError } from '../../base/errors.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'

/** A direction for each class, learned somewhere else: coop-ts import makes runs of it. No row of METHODS, as it learns nothing. */
export const classWeights = defineMethod({
  name: 'class-weights',
  summary: 'class weights from a file, nothing learned',
  source: 'coop-ts export --format weights, or any program that writes a matrix (classes, embed)',
  pictures: 'none',
  settings: z.strictObject({}),
  title: () => 'imported class weights',
  transfers: () => false,
  learn: () =>
    Promise.reject(new UsageError('class weights are not learned', 'import them from a file: coop-ts import')),
  async classifier(classes, _, learned) {
    const { clip, classNames } = classes
    return textClassifier(classes, learnedTensor(learned, 'weights', [classNames.length, clip.config.embedDim]))
  },
})
