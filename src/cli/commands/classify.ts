import { text } from 'node:stream/consumers'
import { UsageError } from '../../base/errors.ts'
import { visible } from '../../base/visible.ts'
import { csv } from '../../report/csv.ts'
import { columns, percent } from '../../report/text.ts'
import type { Classified } from '../../runs/evaluate.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle, whole } from '../options.ts'
import {
  COMPUTING,
  DECISIONS,
  exifOfRun,
  modelOfRun,
  PICTURES,
  predictions,
  runOperand,
  transformsOfRun,
} from '../shared-options.ts'

export const classify = defineCommand({
  name: 'classify',
  summary: 'classify pictures with a trained run',
  details:
    'Probabilities are calibrated: of answers at 80 %, about eight in ten are right for pictures like those learned from. A ' +
    'picture whose most probable class is below a threshold is "none of these" (--reject; the run keeps one if it had ' +
    'pictures in _other/ or --error-rate). A label set (--sets 0.9) holds the right class for nine pictures in ten.',
  operands: [
    runOperand,
    {
      name: 'image',
      help: 'picture files, folders of pictures (with their sub-folders), or - for paths on standard input, one per line',
      variadic: true,
    },
  ],
  examples: [
    'coop-ts classify runs/photos holiday.jpg',
    'coop-ts classify runs/photos inbox/*.png --top 1 --json',
    'coop-ts classify runs/photos inbox --top 1 --csv > labels.csv',
    'coop-ts classify runs/photos inbox --reject 0.6 --sets 0.9',
    'find . -name "*.jpg" | coop-ts classify runs/photos - --skip-bad-images',
  ],
  options: {
    top: whole(1).default(5).register(flags, { flag: '--top', argument: 'N', help: 'labels shown for each picture' }),
    csv: toggle().register(flags, {
      flag: '--csv',
      help: 'print CSV, a line for each label: file, label, probability (a fraction of 1), none and in_set with a threshold and label sets',
    }),
    predictions,
    ...DECISIONS,
    model: modelOfRun,
    transforms: transformsOfRun,
    exif: exifOfRun,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [run = '', ...images], hooks) {
    if (settings.csv && settings.json) throw new UsageError('--csv and --json are both given', 'give one of them')
    const { classifyImages } = await import('../../runs/evaluate.ts')
    const results = await classifyImages(run, await namedImages(images), settings, hooks)
    const json = { images: results }
    if (settings.csv) return { json, text: csvOf(results) }
    const blocks = results.map(({ file, labels, none, set }) => {
      const table = columns(labels.map(({ label, probability }) => [`  ${label}`, percent(probability)]))
      return [
        visible(file),
        ...(none === true ? ['  none of these'] : []),
        table,
        ...(set === undefined ? [] : [`  set: ${set.map(visible).join(', ')}`]),
      ].join('\n')
    })
    return { json, text: blocks.join('\n') }
  },
})

function csvOf(results: readonly Classified[]): string {
  const [{ none: hasNone, set: hasSets } = {}] = results
  const decided = ({ none, set }: Classified, label: string) => [
    ...(hasNone === undefined ? [] : [String(none)]),
    ...(hasSets === undefined ? [] : [String(set?.includes(label))]),
  ]
  const rows = results.flatMap((result) =>
    result.labels.map(({ label, probability }) => [result.file, label, probability, ...decided(result, label)]),
  )
  const head = [
    ...['file', 'label', 'probability'],
    ...(hasNone === undefined ? [] : ['none']),
    ...(hasSets === undefined ? [] : ['in_set']),
  ]
  return csv(head, rows).trimEnd()
}

/** The paths that were typed; in place of `-` those on standard input, a line each (or ended by NUL, as find -print0 does). */
async function namedImages(words: readonly string[]): Promise<string[]> {
  const named: string[] = []
  for (const word of words) {
    if (word !== '-') named.push(word)
    else {
      const input = await text(process.stdin)
      named.push(...input.split(input.includes('\0') ? '\0' : /\r?\n/).filter((path) => path !== ''))
    }
  }
  return named
}
