import { resolve } from 'node:path'
import { defined } from '../../cli/actions.ts'
import { defineCommand } from '../../cli/command.ts'
import { checkWritableFile, writeFileAtomic } from '../../node/files.ts'
import { bundledModel } from '../../node/package.ts'
import { took } from '../../report/text.ts'

export const demo = defineCommand({
  name: 'demo',
  summary: 'learned against hand-written prompts on drawings that CLIP never saw',
  operands: [],
  examples: [
    'coop demo --quick',
    'coop demo --tasks sports,gestures --shots 1,16 --seeds 1,2',
    'coop demo --json --figure figure.svg > demo.json',
  ],
  async run(settings, _operands, hooks) {
    for (const file of [settings.reportFile, settings.figure]) if (file) await checkWritableFile(file)
    const { quick, tasks, shotsList: shots, seeds, model = bundledModel(), device, threads } = settings
    const { demo } = await import('../demo/run-demo.ts')
    const result = await demo({ model, quick, ...defined({ tasks, shots, seeds, device, threads }) }, hooks)
    const { renderReport } = await import('../../report/page.ts')
    const { resultTable } = await import('../../report/table.ts')
    await writeFileAtomic(settings.reportFile, renderReport(result))
    if (settings.figure) {
      const { fewShotFigure } = await import('../../report/curves.ts')
      await writeFileAtomic(settings.figure, `${fewShotFigure(result)}\n`)
    }
    return {
      json: result,
      text: `${resultTable(result)}\n\n${took(result.seconds)} in all. Figures and what was learned: ${resolve(settings.reportFile)}`,
    }
  },
})
