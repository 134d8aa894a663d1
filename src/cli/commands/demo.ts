import { countOf } from '../../base/count.ts'
import { SAMPLE_TASKS } from '../../data/samples.ts'
import { columns, percent, took } from '../../report/text.ts'
import type { SampleDemo } from '../../runs/sample-demo.ts'
import { defineCommand } from '../command.ts'
import { flags, text } from '../options.ts'
import { sampleCommands, tryText } from '../sample-commands.ts'
import { COMPUTING, force, resume, seed } from '../shared-options.ts'
import { marked } from './words.ts'

export const demo = defineCommand({
  name: 'demo',
  summary: 'compare learned and hand-written prompts on the sample tasks',
  details:
    'Learns a prompt for each sample task (coop-ts samples) with the bundled CLIP, which never saw drawings of this kind, and ' +
    "measures it on other pictures beside the hand-written prompt. Without --out nothing is kept. The paper's experiment in " +
    'miniature, with all shots and a report, is npm run demo in a clone of the repository.',
  operands: [
    { name: 'task', help: `one of ${SAMPLE_TASKS.join(', ')}; if left out, all`, optional: true, values: SAMPLE_TASKS },
  ],
  examples: ['coop-ts demo', 'coop-ts demo sports --out runs/demo'],
  options: {
    out: text('a folder').optional().register(flags, {
      flag: '--out',
      argument: 'DIR',
      help: 'folder to keep the runs in, one a task',
      otherwise: 'none is kept',
    }),
    seed,
    resume,
    force,
    ...COMPUTING,
  },
  async run(settings, [task], hooks) {
    const { sampleDemo } = await import('../../runs/sample-demo.ts')
    const { sampleTasks } = await import('../../runs/samples.ts')
    const result = await sampleDemo({ ...settings, task }, hooks)
    const [first] = await sampleTasks(task)
    const commands = first === undefined ? [] : sampleCommands(first, `samples/${first.name}`)
    const next = ['npx coop-ts samples samples', ...commands, 'npx coop-ts train photos --out runs/photos']
    return { json: { ...result, next }, text: `${textOf(result)}\n\n${tryText(next)}` }
  },
})

function textOf({ tasks, seconds }: SampleDemo): string {
  const rows = tasks.map(({ title, classes, trained, tested, zeroShot, accuracy, seconds }) => [
    title,
    ...[classes, trained, tested].map(String),
    ...[zeroShot, accuracy].map(percent),
    took(seconds),
  ])
  const learned = tasks.map(({ title, template, words, perClass }) =>
    [
      title,
      `  hand-written: "${template}"`,
      `  learned: ${countOf(words.length, 'vector')}; the word nearest to each: ${words.map(marked).join(' ')}`,
      `  gained most: ${mostGained(perClass)}`,
    ].join('\n'),
  )
  const head = ['task', 'classes', 'learned from', 'tested on', 'hand-written', 'learned', 'time']
  return [
    'Accuracy on pictures that were not learned from, of a kind that this CLIP never saw:',
    columns([head, ...rows]),
    ...learned,
    `${took(seconds)} in all. Only the words around the class name were learned, as vectors; CLIP itself is as it was.`,
  ].join('\n\n')
}

const mostGained = (classes: SampleDemo['tasks'][number]['perClass']): string =>
  [...classes]
    .sort((a, b) => b.accuracy - b.zeroShot - (a.accuracy - a.zeroShot))
    .slice(0, 3)
    .map(({ className, zeroShot, accuracy }) => `${className} ${percent(zeroShot)} -> ${percent(accuracy)}`)
    .join(', ')
