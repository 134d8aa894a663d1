import { countOf } from '../../base/count.ts'
import { defineCommand } from '../../cli/command.ts'
import { flags, positive, text, whole } from '../../cli/options.ts'
import { COMPUTING, cache, force, resume, seed } from '../../cli/shared-options.ts'
import { columns, percent, took } from '../../report/text.ts'

export const pretrain = defineCommand({
  name: 'pretrain',
  summary: 'train the bundled small CLIP from emoji, icons and clip art',
  operands: [],
  examples: ['npm run pretrain -- --out runs/clip --hours 2', 'npm run pretrain -- --out runs/clip --resume'],
  options: {
    out: text('a folder').default('runs/pretrain').register(flags, {
      flag: '--out',
      argument: 'RUN',
      help: 'folder for checkpoints, metrics and the trained model',
    }),
    hours: positive().optional().register(flags, {
      flag: '--hours',
      argument: 'H',
      help: 'stop after this time; continue with --resume',
      otherwise: 'no limit',
    }),
    steps: whole(1).optional().register(flags, {
      flag: '--steps',
      argument: 'N',
      help: 'steps of the whole schedule',
      otherwise: 'the recipe of the model card',
    }),
    seed,
    resume,
    force,
    cache,
    ...COMPUTING,
  },
  async run(settings, _operands, hooks) {
    const { pretrainSmallClip } = await import('../pretrain/pretrain-run.ts')
    const result = await pretrainSmallClip(settings, hooks)
    const { steps, loss, seconds, run, heldOut } = result
    const rows = Object.entries(heldOut).map(([style, { labels, top1, top5 }]) => [
      `${style}, ${countOf(labels, 'label')}`,
      `top-1 ${percent(top1)}`,
      `top-5 ${percent(top5)}`,
    ])
    const summary = `${countOf(steps, 'step')}, loss ${loss.toFixed(3)}, ${took(seconds)}, saved in ${run}; the model is in ${run}/model`
    return { json: result, text: `${summary}\nzero-shot on styles kept out of training:\n${columns(rows)}` }
  },
})
