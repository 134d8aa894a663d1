import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import { SAMPLE_TASKS, type SampleTask, samplePaths } from '../../data/samples.ts'
import { columns } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle } from '../options.ts'
import { sampleCommands, tryText } from '../sample-commands.ts'
import { EVERY } from '../shared-options.ts'

export const samples = defineCommand({
  name: 'samples',
  summary: 'copy sample tasks: small pictures to try the other commands on',
  details:
    `${SAMPLE_TASKS.length} tasks of Microsoft's Fluent emoji (MIT licence), which the bundled CLIP never saw, as ordinary folders of ` +
    'pictures: DIR/TASK/train/CLASS/*.png and DIR/TASK/test/CLASS/*.png.',
  operands: [
    { name: 'task', help: `one of ${SAMPLE_TASKS.join(', ')}; if left out, all`, optional: true },
    { name: 'dir', help: 'folder to copy to', optional: true },
  ],
  examples: ['coop-ts samples samples', 'coop-ts samples sports samples', 'coop-ts samples --list'],
  options: {
    list: toggle().register(flags, { flag: '--list', help: 'show the tasks and their classes, and copy nothing' }),
    force: toggle().register(flags, {
      flag: '--force',
      help: 'write over tasks that are in DIR; other files there stay',
    }),
    ...EVERY,
  },
  async run({ list, force }, words) {
    const { copySamples, sampleTasks } = await import('../../runs/samples.ts')
    if (list) {
      const tasks = (await sampleTasks(words[0])).map(summary)
      const rows = tasks.map(({ name, pictures, classes }) => [name, countOf(pictures, 'picture'), classes.join(', ')])
      return { json: { tasks }, text: columns(rows, 3) }
    }
    const copied = await copySamples(folderOf(words), { task: words.length > 1 ? words[0] : undefined, force })
    const tasks = copied.map(({ task, folder }) => ({ ...summary(task), folder }))
    const rows = tasks.map(({ folder, pictures, classes }) => [
      folder,
      countOf(pictures, 'picture'),
      classes.join(', '),
    ])
    const next = copied.slice(0, 1).flatMap(({ task, folder }) => sampleCommands(task, folder))
    return { json: { tasks, next }, text: `${columns(rows, 3)}\n\n${tryText(next)}` }
  },
})

/** The last word. Throws UsageError where there is none, or only the name of a task. */
function folderOf(words: readonly string[]): string {
  const folder = words.at(-1)
  if (folder === undefined) throw new UsageError('coop-ts samples: no folder given', 'name one: coop-ts samples DIR')
  if (words.length > 1 || !SAMPLE_TASKS.some((name) => name === folder)) return folder
  throw new UsageError(
    `coop-ts samples ${folder}: no folder given to copy the task to`,
    `name one: coop-ts samples ${folder} DIR (or ./${folder} for all tasks in a folder called ${folder})`,
  )
}

function summary(task: SampleTask) {
  const { name, title, about, template, classes } = task
  return { name, title, about, template, classes: classes.map(({ name }) => name), pictures: samplePaths(task).length }
}
