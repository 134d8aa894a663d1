import { countOf } from '../../base/count.ts'
import { defineCommand } from '../command.ts'
import { flags, oneOf, text, toggle } from '../options.ts'
import { EVERY, forceBeside } from '../shared-options.ts'

export const report = defineCommand({
  name: 'report',
  summary: 'tables and figures of one or several sweeps',
  details:
    'Writes report.md, report.html (one file, no script), report.csv (one line per run) and summary.csv (one line per mean, with ' +
    'deviation, 95 % interval and number of seeds). Runs of different models, pictures or settings never share a mean. ' +
    'A sweep that is still running can be reported too: its finished runs are used.',
  operands: [{ name: 'out', help: 'folder that coop-ts sweep wrote', variadic: true }],
  examples: [
    'coop-ts report runs/plan',
    'coop-ts report runs/plan --figures --published',
    'coop-ts report runs/plan --format latex',
    'coop-ts report runs/rn50 runs/vit-b16 --out reports/backbones',
    'coop-ts report runs/plan --tensorboard runs/plan/events',
  ],
  options: {
    out: text('a folder').optional().register(flags, {
      flag: '--out',
      argument: 'DIR',
      help: 'folder to write the report to',
      otherwise: "the sweep's folder, or report/ for several sweeps",
    }),
    figures: toggle().register(flags, { flag: '--figures', help: 'also write the figures as SVG files' }),
    published: toggle().register(flags, {
      flag: '--published',
      help: "show the paper's figures even where settings differ; where settings match, they are always shown",
    }),
    format: oneOf(['latex']).optional().register(flags, {
      flag: '--format',
      argument: 'NAME',
      help: 'also write the tables as latex, into report.tex (it needs booktabs)',
      otherwise: 'not written',
    }),
    tensorboard: text('a folder').optional().register(flags, {
      flag: '--tensorboard',
      argument: 'DIR',
      help: 'write an event file of each run for TensorBoard',
      otherwise: 'not written',
    }),
    skip: toggle().register(flags, { flag: '--skip', help: 'leave out damaged results, with a warning for each' }),
    force: forceBeside,
    ...EVERY,
  },
  async run(settings, folders, hooks) {
    const { reportSweeps } = await import('../../runs/report.ts')
    const { tables, ...result } = await reportSweeps(folders, settings, hooks)
    const warnings = [
      ...(result.failed.length > 0 ? [`failed: ${result.failed.map(({ id }) => id).join(', ')}`] : []),
      ...(result.damaged.length > 0 ? [`left out as damaged: ${result.damaged.join(', ')}`] : []),
      ...(result.collapsed.length > 0 ? [`no better than guessing: ${result.collapsed.join(', ')}`] : []),
    ]
    const written = result.files.filter((file) => !file.includes('tfevents')).map((file) => `  ${file}`)
    const events = result.files.length - written.length
    const files = [
      'written:',
      ...written,
      ...(events > 0 ? [`  ${countOf(events, 'event file')} in ${settings.tensorboard}`] : []),
    ]
    return { json: result, text: [tables, ...warnings, files.join('\n')].join('\n\n') }
  },
})
