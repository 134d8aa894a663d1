import { accuracyTable, decisionLines } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle } from '../options.ts'
import {
  COMPUTING,
  DATA,
  DECISIONS,
  dataOperand,
  exifOfRun,
  modelOfRun,
  PICTURES,
  predictions,
  runOperand,
  testShareOfRun,
  transformsOfRun,
} from '../shared-options.ts'
import { writtenText } from './train.ts'

export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'accuracy of a trained run on a data set',
  details:
    'Uses test images only: those that the data set marks as test, or if it marks none, those that coop-ts train held out ' +
    'for this run (--test-share). Other pictures can be tested whole: --test-share 1. A run that withheld none of its ' +
    'pictures was cross-validated on them when it was trained: its results.json has that.',
  operands: [runOperand, dataOperand],
  examples: [
    'coop-ts evaluate runs/photos more-photos --test-share 1',
    'coop-ts evaluate runs/photos more-photos.csv --test-share 1 --reject 0.6 --sets 0.9 --json',
    'coop-ts evaluate runs/photos more-photos --test-share 1 --predictions photos.csv',
    'coop-ts evaluate runs/plan/runs/photos-tip-adapter-4-shot-seed-1-0123456789 photos',
    'coop-ts evaluate runs/caltech101-16-1 food101 --root data --transfer',
  ],
  options: {
    transfer: toggle().register(flags, {
      flag: '--transfer',
      help: 'use the learned context with the class names of the data set, not those of the run',
    }),
    predictions,
    testShare: testShareOfRun,
    ...DECISIONS,
    model: modelOfRun,
    transforms: transformsOfRun,
    exif: exifOfRun,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [run = '', data = ''], hooks) {
    const { evaluateRunAsGiven } = await import('../../runs/evaluate.ts')
    const result = await evaluateRunAsGiven(run, data, settings, hooks)
    return { json: result, text: [accuracyTable(result), ...decisionLines(result), ...writtenText(result)].join('\n') }
  },
})
