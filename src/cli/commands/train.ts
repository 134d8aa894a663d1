import { columns, percent, took } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { DATA, defineCommand } from '../command.ts'

export const train = defineCommand({
  name: 'train',
  summary: 'learn a prompt from a few images of each class',
  details:
    'Learns from K images of each class and measures on the test images: those that the data set names, or ' +
    'where it does not, three of ten that are left out of training.',
  operands: [{ name: 'data', help: DATA }],
  examples: [
    'coop train photos --shots 16 --out runs/photos',
    'coop train photos --class-specific --seed 2 --out runs/photos-2',
    'coop train photos --init "a photo of a" --template "a photo of a {}." --out runs/photos-3',
    'coop train photos --out runs/photos --resume',
    'coop train caltech101 --root data --shots 1',
    'coop train hf:owner/name --shots 4',
  ],
  async run(settings, [data = ''], hooks) {
    const result = await actions.train(data, settings, hooks)
    const table = columns([
      ['hand-written prompt', percent(result.zeroShot)],
      [`learned prompt, ${settings.shots} ${settings.shots === 1 ? 'shot' : 'shots'}`, percent(result.accuracy)],
    ])
    const next = `Ask it: coop classify ${result.run} IMAGE...`
    return {
      json: result,
      text: `${table}\n\n${result.steps} steps in ${took(result.seconds)}, kept in ${result.run}\n${next}`,
    }
  },
})
