import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { anObject, aText, checkArguments } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import { checkWritableFolder, ifThere, readBytes, readText, writeFileAtomic } from '../node/files.ts'
import { bundledSamples } from '../node/package.ts'

/** The tasks of `samples/`, the one to begin with first. */
export const SAMPLE_TASKS = ['fantasy', 'sports', 'professions', 'style'] as const
export type SampleName = (typeof SAMPLE_TASKS)[number]

const PARTS = ['train', 'test'] as const

/** `samples/index.json`: a picture lies at `NAME/train/CLASS/FILE` or `NAME/test/CLASS/FILE` beside it. */
export const samplesSchema = z.strictObject({
  tasks: z.array(
    z.strictObject({
      name: z.enum(SAMPLE_TASKS),
      title: z.string(),
      /** A sentence: what the pictures are, and what keeps train and test apart. */
      about: z.string(),
      /** The hand-written prompt; `{}` is the class name. */
      template: z.string(),
      classes: z.array(z.strictObject({ name: z.string(), train: z.array(z.string()), test: z.array(z.string()) })),
    }),
  ),
})
export type Samples = z.output<typeof samplesSchema>
export type SampleTask = Samples['tasks'][number]

/** Whose pictures they are; each copied task takes it along. */
const LICENCE = 'LICENSE.txt'

/** The tasks that come with the package: all, or the one of a name. Throws UsageError where there is none of that name. */
export async function sampleTasks(name?: string): Promise<SampleTask[]> {
  const { tasks } = samplesSchema.parse(JSON.parse(await readText(join(bundledSamples(), 'index.json'))))
  const chosen = tasks.filter((task) => name === undefined || task.name === name)
  if (chosen.length > 0) return chosen
  throw new UsageError(`there is no sample task ${JSON.stringify(name)}`, `the tasks are ${SAMPLE_TASKS.join(', ')}`)
}

/** The addresses of a task's pictures, relative to `samples/`. */
export const samplePaths = ({ name, classes }: SampleTask): string[] =>
  classes.flatMap((one) => PARTS.flatMap((part) => one[part].map((file) => `${name}/${part}/${one.name}/${file}`)))

/** Where a copied task lies now. */
export interface CopiedTask extends Pick<SampleTask, 'name' | 'title' | 'template'> {
  readonly folder: string
  readonly pictures: number
}

/**
 * Copies sample tasks, all or one, to `folder/TASK/train/CLASS/*.png` and `folder/TASK/test/CLASS/*.png`.
 *
 * @throws UsageError where one of these folders holds files already and `force` is not set; other files in it stay
 */
export async function copySamples(
  folder: string,
  options: { readonly task?: string; readonly force?: boolean } = {},
): Promise<CopiedTask[]> {
  checkArguments('copySamples', { folder, options }, { folder: aText, options: anObject })
  const { task, force = false } = options
  const tasks = await sampleTasks(task)
  for (const { name } of tasks) {
    const out = join(folder, name)
    await checkWritableFolder(out)
    const held = (await ifThere(out, readdir(out))) ?? []
    if (held.length > 0 && !force)
      throw new UsageError(`${out} holds files already`, 'choose another folder, or write beside them (--force)')
  }
  const copied: CopiedTask[] = []
  for (const task of tasks) {
    const { name, title, template } = task
    const copy = async (from: string, to: string) =>
      writeFileAtomic(join(folder, to), await readBytes(join(bundledSamples(), from)), { sync: false })
    const paths = samplePaths(task)
    for (const path of paths) await copy(path, path)
    await copy(LICENCE, `${name}/${LICENCE}`)
    copied.push({ name, title, template, folder: join(folder, name), pictures: paths.length })
  }
  return copied
}
