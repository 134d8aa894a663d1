import { accuracyTable } from '../../report/text.ts'
import { templatesOf } from '../../runs/templates-file.ts'
import { defineCommand } from '../command.ts'
import {
  COMPUTING,
  DATA,
  dataOperand,
  exif,
  modelForPictures,
  PICTURES,
  precision,
  predictions,
  templates,
  testShareOfRun,
  transforms,
} from '../shared-options.ts'
import { writtenText } from './train.ts'

export const zeroShot = defineCommand({
  name: 'zero-shot',
  summary: 'accuracy of hand-written prompts on a data set',
  details:
    'Uses the test images that the data set marks, or if it marks none, all pictures, as nothing is learned from any: the same as coop-ts train. --test-share F uses a share of each class.',
  operands: [dataOperand],
  examples: [
    'coop-ts zero-shot photos',
    'coop-ts zero-shot oxford_pets --root data',
    'coop-ts zero-shot photos --template "a photo of a {}." --template "a drawing of a {}."',
    'coop-ts zero-shot photos --template imagenet80',
    'coop-ts zero-shot photos --template descriptions.json --predictions photos.csv',
  ],
  options: {
    testShare: testShareOfRun,
    templates,
    predictions,
    model: modelForPictures,
    transforms,
    exif,
    precision,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [data = ''], hooks) {
    const { evaluateZeroShotAsGiven } = await import('../../runs/evaluate.ts')
    const templates = await templatesOf(settings.templates)
    const result = await evaluateZeroShotAsGiven(data, { ...settings, templates }, hooks)
    return { json: result, text: [accuracyTable(result), ...writtenText(result)].join('\n') }
  },
})
