import { took } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand } from '../command.ts'

export const pretrain = defineCommand({
  name: 'pretrain',
  summary: 'train the bundled small CLIP from emoji, icons and clip art',
  operands: [],
  examples: ['coop pretrain --out runs/clip --hours 2', 'coop pretrain --out runs/clip --resume'],
  async run(settings, _operands, hooks) {
    const result = await actions.pretrain(settings, hooks)
    const { steps, loss, seconds, run } = result
    return { json: result, text: `${steps} steps, loss ${loss.toFixed(3)}, ${took(seconds)}, kept in ${run}` }
  },
})
