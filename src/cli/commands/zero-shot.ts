import { accuracyTable } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand, IMAGE_FOLDER } from '../command.ts'

export const zeroShot = defineCommand({
  name: 'zero-shot',
  summary: 'accuracy of hand-written prompts on a folder of images',
  details: 'Counts the same test images as coop evaluate.',
  operands: [{ name: 'dir', help: IMAGE_FOLDER }],
  examples: [
    'coop zero-shot photos',
    'coop zero-shot photos --template "a photo of a {}." --template "a drawing of a {}."',
  ],
  async run(settings, [dir = ''], hooks) {
    const result = await actions.zeroShot(dir, settings, hooks)
    return { json: result, text: accuracyTable(result) }
  },
})
