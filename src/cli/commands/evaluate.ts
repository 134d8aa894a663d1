import { accuracyTable } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand, IMAGE_FOLDER } from '../command.ts'

export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'accuracy of a trained run on a folder of images',
  details:
    'Counts test images only: those in test/, or where the class folders lie in DIR itself, those that coop train ' +
    'leaves out of such a folder (three of ten, always the same).',
  operands: [
    { name: 'run', help: 'folder that coop train wrote' },
    { name: 'dir', help: IMAGE_FOLDER },
  ],
  examples: ['coop evaluate runs/photos photos', 'coop evaluate runs/photos photos --json'],
  async run(settings, [run = '', dir = ''], hooks) {
    const result = await actions.evaluate(run, dir, settings, hooks)
    return { json: result, text: accuracyTable(result) }
  },
})
