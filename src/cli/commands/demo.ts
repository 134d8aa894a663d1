import { resolve } from 'node:path'
import { took } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { defineCommand } from '../command.ts'
import { writeWhole } from '../write-whole.ts'

export const demo = defineCommand({
  name: 'demo',
  summary: "the paper's experiment in miniature: learned against hand-written prompts, on drawings CLIP never saw",
  operands: [],
  examples: [
    'coop demo --quick',
    'coop demo --tasks sports,gestures --shots 1,16 --seeds 1,2',
    'coop demo --json > demo.json',
  ],
  async run(settings, _operands, hooks) {
    const result = await actions.demo(settings, hooks)
    const { renderReport } = await import('../../report/page.ts')
    const { resultTable } = await import('../../report/table.ts')
    await writeWhole(settings.reportFile, renderReport(result))
    return {
      json: result,
      text: `${resultTable(result)}\n\n${took(result.seconds)} in all. Figures and what was learned: ${resolve(settings.reportFile)}`,
    }
  },
})
