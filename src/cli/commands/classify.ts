import { visible } from '../../base/visible.ts'
import { columns, percent } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { flags, whole } from '../options.ts'
import { COMPUTING, modelOfRun, PICTURES, runOperand, transformsOfRun } from '../shared-options.ts'

export const classify = defineCommand({
  name: 'classify',
  summary: 'classify pictures with a trained run',
  operands: [runOperand, { name: 'image', help: 'picture files', variadic: true }],
  examples: ['coop-ts classify runs/photos holiday.jpg', 'coop-ts classify runs/photos inbox/*.png --top 1 --json'],
  options: {
    top: whole(1).default(5).register(flags, { flag: '--top', argument: 'N', help: 'labels shown for each picture' }),
    model: modelOfRun,
    transforms: transformsOfRun,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [run = '', ...images], hooks) {
    const { classifyImages } = await import('../../runs/evaluate.ts')
    const results = await classifyImages(run, images, settings, hooks)
    const blocks = results.map(({ file, labels }) => {
      return `${visible(file)}\n${columns(labels.map(({ label, probability }) => [`  ${label}`, percent(probability)]))}`
    })
    return { json: results, text: blocks.join('\n') }
  },
})
