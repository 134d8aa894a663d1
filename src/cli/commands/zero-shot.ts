import { accuracyTable } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { DATA, defineCommand } from '../command.ts'

export const zeroShot = defineCommand({
  name: 'zero-shot',
  summary: 'accuracy of hand-written prompts on a data set',
  details: 'Counts the same test images as coop evaluate.',
  operands: [{ name: 'data', help: DATA }],
  examples: [
    'coop zero-shot photos',
    'coop zero-shot oxford_pets --root data',
    'coop zero-shot photos --template "a photo of a {}." --template "a drawing of a {}."',
    'coop zero-shot photos --template imagenet80',
  ],
  async run(settings, [data = ''], hooks) {
    const result = await actions.zeroShot(data, settings, hooks)
    return { json: result, text: accuracyTable(result) }
  },
})
