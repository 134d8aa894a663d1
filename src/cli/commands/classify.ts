import { columns, percent } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand, RUN } from '../command.ts'

export const classify = defineCommand({
  name: 'classify',
  summary: 'say what is on images with a trained run',
  operands: [
    { name: 'run', help: RUN },
    { name: 'image', help: 'image files', variadic: true },
  ],
  examples: ['coop classify runs/photos holiday.jpg', 'coop classify runs/photos inbox/*.png --top 1 --json'],
  async run(settings, [run = '', ...images], hooks) {
    const results = await actions.classify(run, images, settings, hooks)
    const blocks = results.map(({ file, labels }) => {
      return `${file}\n${columns(labels.map(({ label, probability }) => [`  ${label}`, percent(probability)]))}`
    })
    return { json: results, text: blocks.join('\n') }
  },
})
