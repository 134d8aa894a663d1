import { resolve } from 'node:path'
import { countOf } from '../../base/count.ts'
import { answerOf } from '../../report/inspect/page.ts'
import { columns, percent } from '../../report/text.ts'
import type { Inspection } from '../../trained/inspect/types.ts'
import { defineCommand } from '../command.ts'
import { flags, text } from '../options.ts'
import {
  COMPUTING,
  DATA,
  dataOperand,
  exifOfRun,
  modelOfRun,
  PICTURES,
  runOperand,
  testShareOfRun,
  transformsOfRun,
} from '../shared-options.ts'

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'a page about a run: how good it is, where it errs, and what is wrong with the pictures',
  details:
    'Writes one HTML file with all in it (small copies of pictures, too), which needs no server and loads nothing: accuracy beside ' +
    'hand-written prompts, a confusion matrix with the pictures of each cell, the worst mistakes, labels that are probably wrong, ' +
    'pictures that are the same or nearly (learned from and tested on, too), outliers, a map of the features, a reliability diagram, ' +
    'and the classes that need pictures most. Without test pictures it looks at those learned from, and says so. The same tables: --json.',
  operands: [
    runOperand,
    { ...dataOperand, help: `${dataOperand.help}; if left out, what the run learned from`, optional: true },
  ],
  examples: [
    'coop-ts inspect runs/photos',
    'coop-ts inspect runs/photos photos --out photos.html',
    'coop-ts inspect runs/photos --json',
  ],
  options: {
    out: text('a file').optional().register(flags, {
      flag: '--out',
      argument: 'FILE.html',
      help: 'page to write',
      otherwise: 'inspect.html in the folder of the run',
    }),
    testShare: testShareOfRun,
    model: modelOfRun,
    transforms: transformsOfRun,
    exif: exifOfRun,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [run = '', data], hooks) {
    const { inspectRunAsGiven } = await import('../../runs/inspect.ts')
    const { runFile } = await import('../../runs/run-folder.ts')
    const { out = runFile(run, 'page') } = settings
    const found = await inspectRunAsGiven(run, { ...settings, data, out }, hooks)
    return { json: { page: out, ...found }, text: `${textOf(found)}\n\nSee it: ${resolve(out)}` }
  },
})

const FEW = 5

function textOf(found: Inspection): string {
  const { mistakes, labels, duplicates, outliers, classes, reliability } = found
  const across = duplicates.filter(({ acrossParts }) => acrossParts).length
  const counts = [
    [countOf(mistakes.length, 'mistake'), firstOf(mistakes.map(({ label, answer }) => `${label} taken for ${answer}`))],
    [`${countOf(labels.length, 'label')} that may be wrong`, firstOf(labels.map(({ file }) => file))],
    [
      `${countOf(duplicates.length, 'group')} of the same picture`,
      across > 0 ? `${across} both learned from and tested on` : '',
    ],
    [countOf(outliers.length, 'outlier'), firstOf(outliers.map(({ file }) => file))],
    ['calibration error', percent(reliability.error)],
    ['need pictures most', firstOf(classes.map(({ label }) => label))],
  ]
  return `${answerOf(found)}\n\n${columns(counts, 2)}`
}

const firstOf = (words: readonly string[]): string => [...new Set(words)].slice(0, FEW).join(', ')
