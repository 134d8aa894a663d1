import { methodNamed } from '../../methods/index.ts'
import { columns, percent, took } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { DATA, defineCommand } from '../command.ts'
import { methodSettings } from '../method-settings.ts'
import { methodsText } from './methods.ts'

export const train = defineCommand({
  name: 'train',
  summary: 'learn a prompt, or by another method, from a few images of each class',
  details:
    'Learns from K images of each class and measures on the test images: those that the data set names, or ' +
    'where it does not, three of ten that are left out of training.\n\n' +
    'Methods (--method); what a method has no setting for, it does not take as a flag either:\n\n' +
    methodsText,
  operands: [{ name: 'data', help: DATA }],
  examples: [
    'coop train photos --shots 16 --out runs/photos',
    'coop train photos --class-specific --seed 2 --out runs/photos-2',
    'coop train photos --init "a photo of a" --template "a photo of a {}." --out runs/photos-3',
    'coop train photos --out runs/photos --resume',
    'coop train caltech101 --root data --shots 1',
    'coop train hf:owner/name --shots 4',
    'coop train photos --method linear-probe',
    'coop train photos --method tip-adapter-f --shots 4 --set epochs=50 --set alpha=2',
  ],
  async run(settings, [data = ''], hooks, given) {
    const method = methodNamed(settings.method)
    const learning = methodSettings(method, settings, given)
    const result = await actions.train(data, settings, learning, hooks)
    const what = method.name === 'coop' ? 'learned prompt' : method.title(learning)
    const shots = method.pictures === 'none' ? '' : `, ${settings.shots} ${settings.shots === 1 ? 'shot' : 'shots'}`
    const table = columns([
      ['hand-written prompt', percent(result.zeroShot)],
      [`${what}${shots}`, percent(result.accuracy)],
    ])
    const steps = result.steps > 0 ? `${result.steps} steps in ` : ''
    const next = `Ask it: coop classify ${result.run} IMAGE...`
    return { json: result, text: `${table}\n\n${steps}${took(result.seconds)}, kept in ${result.run}\n${next}` }
  },
})
