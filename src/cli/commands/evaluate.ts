import { accuracyTable } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand } from '../command.ts'

export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'accuracy of a trained run on a folder of images',
  operands: [
    { name: 'run', help: 'folder that coop train wrote' },
    { name: 'dir', help: 'folder of images with a folder for each class' },
  ],
  examples: ['coop evaluate runs/photos photos', 'coop evaluate runs/photos photos --json'],
  async run(settings, [run = '', dir = ''], hooks) {
    const result = await actions.evaluate(run, dir, settings, hooks)
    return { json: result, text: accuracyTable(result) }
  },
})
