import { accuracyTable } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle } from '../options.ts'
import {
  COMPUTING,
  DATA,
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
    'for this run (--test-share; three in ten by default). Other pictures can be tested whole: --test-share 1.',
  operands: [runOperand, dataOperand],
  examples: [
    'coop-ts evaluate runs/photos photos',
    'coop-ts evaluate runs/photos photos --predictions photos.csv',
    'coop-ts evaluate runs/photos other-photos.csv --test-share 1 --json',
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
    return { json: result, text: [accuracyTable(result), ...writtenText(result)].join('\n') }
  },
})
