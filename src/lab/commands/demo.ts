import { resolve } from 'node:path'
import { MAX_SEED } from '../../base/bounds.ts'
import { defineCommand } from '../../cli/command.ts'
import { flags, list, oneOf, text, toggle, whole } from '../../cli/options.ts'
import { COMPUTING, model } from '../../cli/shared-options.ts'
import { checkWritableFile, writeFileAtomic } from '../../node/files.ts'
import { BUNDLED } from '../../node/package.ts'
import { lineChart } from '../../report/line-chart.ts'
import { took } from '../../report/text.ts'

export const demo = defineCommand({
  name: 'demo',
  summary: 'compare learned and hand-written prompts on drawings that CLIP never saw',
  operands: [],
  examples: [
    'npm run demo -- --quick',
    'npm run demo -- --tasks sports,gestures --shots 1,16 --seeds 1,2',
    'npm run demo -- --json --figure figure.svg > demo.json',
  ],
  options: {
    quick: toggle().register(flags, { flag: '--quick', help: 'fewer tasks and one seed: one minute on two cores' }),
    tasks: list(text('names of tasks'), 'names of tasks').optional().register(flags, {
      flag: '--tasks',
      argument: 'NAMES',
      help: 'tasks to run, such as sports,gestures',
      otherwise: 'all',
    }),
    shots: list(oneOf(['1', '2', '4', '8', '16']).transform(Number), 'some of 1, 2, 4, 8, 16')
      .optional()
      .register(flags, { flag: '--shots', argument: 'LIST', help: 'shots to learn from', otherwise: '1,2,4,8,16' }),
    seeds: list(whole(0, MAX_SEED), 'whole numbers of at least 0').optional().register(flags, {
      flag: '--seeds',
      argument: 'LIST',
      help: 'seeds of the runs',
      otherwise: '1,2,3; 1 with --quick',
    }),
    out: text('a file').default('coop-demo.html').register(flags, {
      flag: '--out',
      argument: 'FILE.html',
      help: 'page to write the table and figures to',
    }),
    figure: text('a file').optional().register(flags, {
      flag: '--figure',
      argument: 'FILE.svg',
      help: 'also write the few-shot figure as a separate file',
      otherwise: 'not written',
    }),
    model,
    ...COMPUTING,
  },
  async run(settings, _operands, hooks) {
    const { out, figure } = settings
    for (const file of [out, figure]) if (file !== undefined) await checkWritableFile(file)
    const { demo } = await import('../demo/run-demo.ts')
    const result = await demo({ ...settings, model: settings.model ?? BUNDLED }, hooks)
    const { renderReport } = await import('../demo/report/page.ts')
    const { resultTable } = await import('../demo/report/table.ts')
    await writeFileAtomic(out, renderReport(result))
    if (figure !== undefined) {
      const { fewShotChart } = await import('../demo/report/curves.ts')
      await writeFileAtomic(figure, `${lineChart(fewShotChart(result))}\n`)
    }
    return {
      json: { ...result, tasks: result.tasks.map(({ changed: _, ...task }) => task) },
      text: `${resultTable(result)}\n\n${took(result.seconds)} in all. Figures and what was learned: ${resolve(out)}`,
    }
  },
})
