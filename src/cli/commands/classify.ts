import { text } from 'node:stream/consumers'
import { UsageError } from '../../base/errors.ts'
import { visible } from '../../base/visible.ts'
import { csv } from '../../report/csv.ts'
import { columns, percent } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle, whole } from '../options.ts'
import {
  COMPUTING,
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
    'find . -name "*.jpg" | coop-ts classify runs/photos - --skip-bad-images',
  ],
  options: {
    top: whole(1).default(5).register(flags, { flag: '--top', argument: 'N', help: 'labels shown for each picture' }),
    csv: toggle().register(flags, {
      flag: '--csv',
      help: 'print CSV, a line for each label: file, label, probability (a fraction of 1)',
    }),
    predictions,
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
    if (settings.csv) {
      const rows = results.flatMap(({ file, labels }) => labels.map((each) => [file, each.label, each.probability]))
      return { json, text: csv(['file', 'label', 'probability'], rows).trimEnd() }
    }
    const blocks = results.map(({ file, labels }) => {
      return `${visible(file)}\n${columns(labels.map(({ label, probability }) => [`  ${label}`, percent(probability)]))}`
    })
    return { json, text: blocks.join('\n') }
  },
})

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
