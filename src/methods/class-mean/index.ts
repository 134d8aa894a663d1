import { z } from 'zod'
import { textClassifier } from '../../learning/classifier.ts'
import { checkEachClass, meanViews } from '../../learning/labelled-rows.ts'
import { appended, learnedTensor } from '../learned-tensor.ts'
import { defineMethod } from '../method.ts'
import { classMeans } from './means.ts'

/** The class whose mean feature is nearest: zero-shot's classifier with images in place of prompts. */
export const classMean = defineMethod({
  name: 'class-mean',
  summary: 'the class whose mean image feature is nearest',
  source: 'Mensink et al., "Metric Learning for Large Scale Image Classification", ECCV 2012 (nearest class mean)',
  pictures: 'plain',
  settings: z.strictObject({}),
  title: () => 'nearest class mean',
  transfers: () => false,
  async learn({ clip, classNames, train }) {
    checkEachClass(train, classNames, clip.config.embedDim)
    const means = classMeans(await meanViews(train), classNames.length)
    return { tensors: new Map([['means', means]]), facts: {}, steps: [] }
  },
  async addClass({ tensors }, { features }) {
    const labels = new Array<number>(features.shape[0] ?? 0).fill(0)
    const mean = classMeans(await meanViews({ features, labels }), 1)
    return new Map([['means', appended(learnedTensor({ tensors }, 'means', ['any', mean.shape[1] ?? 0]), mean)]])
  },
  async classifier(classes, _, learned) {
    const { clip, classNames } = classes
    return textClassifier(classes, learnedTensor(learned, 'means', [classNames.length, clip.config.embedDim]))
  },
})
