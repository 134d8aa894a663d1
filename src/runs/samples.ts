import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../base/errors.ts'
import { SAMPLE_TASKS, type SampleTask, samplePaths, samplesSchema } from '../data/samples.ts'
import {
  checkWritableFolder,
  ifThere,
  LEFTOVER_AGE_MS,
  readBytes,
  readText,
  removeLeftovers,
  writeFileAtomic,
} from '../node/files.ts'
import { bundledSamples } from '../node/package.ts'

/** Whose pictures they are; each copied task takes it along. */
const LICENCE = 'LICENSE.txt'

/** The tasks that come with the package: all, or the one of a name. Throws UsageError where there is none of that name. */
export async function sampleTasks(name?: string): Promise<SampleTask[]> {
  const { tasks } = samplesSchema.parse(JSON.parse(await readText(join(bundledSamples(), 'index.json'))))
  const chosen = tasks.filter((task) => name === undefined || task.name === name)
  if (chosen.length > 0) return chosen
  throw new UsageError(`there is no sample task ${JSON.stringify(name)}`, `the tasks are ${SAMPLE_TASKS.join(', ')}`)
}

/** A task, and the folder it lies in now. */
export interface CopiedTask {
  readonly task: SampleTask
  readonly folder: string
}

/**
 * Copies sample tasks, all or the named one, to `folder/TASK/train/CLASS/*.png` and `folder/TASK/test/CLASS/*.png`.
 *
 * @throws UsageError where one of these folders holds files already and `force` is not set; other files in it stay
 */
export async function copySamples(
  folder: string,
  { task, force = false }: { readonly task?: string; readonly force?: boolean } = {},
): Promise<CopiedTask[]> {
  const copies = (await sampleTasks(task)).map((task) => ({ task, folder: join(folder, task.name) }))
  for (const { folder: out } of copies) {
    await checkWritableFolder(out)
    const held = (await ifThere(out, readdir(out))) ?? []
    if (held.length > 0 && !force)
      throw new UsageError(`${out} holds files already`, 'choose another folder, or write beside them (--force)')
  }
  const copy = async (from: string, to: string) =>
    writeFileAtomic(join(folder, to), await readBytes(join(bundledSamples(), from)), { sync: false })
  for (const { task } of copies) {
    for (const path of samplePaths(task)) await copy(path, path)
    await copy(LICENCE, `${task.name}/${LICENCE}`)
    for (const part of new Set(samplePaths(task).map(dirname)))
      await removeLeftovers(join(folder, part), LEFTOVER_AGE_MS)
  }
  return copies
}
