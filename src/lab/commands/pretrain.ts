import { defined } from '../../cli/actions.ts'
import { defineCommand } from '../../cli/command.ts'
import { columns, percent, took } from '../../report/text.ts'

export const pretrain = defineCommand({
  name: 'pretrain',
  summary: 'train the bundled small CLIP from emoji, icons and clip art',
  operands: [],
  examples: ['coop pretrain --out runs/clip --hours 2', 'coop pretrain --out runs/clip --resume'],
  async run(settings, _operands, hooks) {
    const { pretrainOut: out, seed, resume, force, cache, steps: length, hours, device, threads } = settings
    const { pretrainSmallClip } = await import('../pretrain/pretrain-run.ts')
    const options = { out, seed, resume, force, cache, ...defined({ steps: length, hours, device, threads }) }
    const result = await pretrainSmallClip(options, hooks)
    const { steps, loss, seconds, run, heldOut } = result
    const rows = Object.entries(heldOut).map(([style, { labels, top1, top5 }]) => [
      `${style}, ${labels} labels`,
      `top-1 ${percent(top1)}`,
      `top-5 ${percent(top5)}`,
    ])
    const summary = `${steps} steps, loss ${loss.toFixed(3)}, ${took(seconds)}, kept in ${run}; the model is in ${run}/model`
    return { json: result, text: `${summary}\nzero-shot on styles kept out of training:\n${columns(rows)}` }
  },
})
