import { join } from 'node:path'
import { z } from 'zod'
import { aText, checkArguments } from '../base/arguments.ts'
import { FileError, UsageError } from '../base/errors.ts'
import type { AnyMethod } from '../methods/index.ts'
import { fileSource, statIfThere } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { POSITIONS } from '../prompt/layout.ts'
import { type LearnedPrompt, learnedPrompt } from '../prompt/learned-prompt.ts'
import { readLearned, type SavedRun } from '../trained/learned.ts'
import { orRemedy, RUN_FILES, type RunFile } from '../trained/run-files.ts'
import { runFile } from './run-folder.ts'

/** What can be done about a run that is damaged. */
export const LEARN_AGAIN =
  'learn it again: coop-ts train with --force, or for a run of a sweep, remove its folder and start coop-ts sweep again'

/**
 * What a run learned: of `coop-ts train`, of `coop-ts import`, or one of a sweep's (`OUT/runs/ID`).
 * Throws FileError where there is none, or a file of it is damaged.
 */
export async function readSavedRun(run: string, methods?: readonly AnyMethod[]): Promise<SavedRun> {
  const file = runFile(run, 'learned')
  if (!(await exists(file))) throw await noRun(run)
  return { run, remedy: LEARN_AGAIN, ...(await orRemedy(readLearned(await fileSource(file), methods), LEARN_AGAIN)) }
}

/** The context vectors of a run of coop as a prompt by itself, for writePrompt. Throws UsageError for a run of another kind. */
export async function promptOfRun(run: string): Promise<LearnedPrompt> {
  checkArguments('promptOfRun', { run }, { run: aText })
  const { method, settings, classNames, model, tensors } = await readSavedRun(run)
  const ctx = tensors.get('ctx')
  const shape = shapeSchema.safeParse(settings)
  if (method.name !== 'coop' || ctx === undefined || !shape.success) {
    throw new UsageError(
      `the run ${run} (${method.title(settings)}) is not a learned prompt`,
      'give a run of the method coop',
    )
  }
  return learnedPrompt(model.fingerprint, classNames, { ...shape.data, M: ctx.shape.at(-2) ?? 0 }, ctx)
}

const shapeSchema = z.object({
  position: z.enum(POSITIONS),
  classSpecific: z.boolean(),
  fixed: z.array(z.int().min(0)).optional(),
})

/** What is in a folder in place of a finished run. */
async function noRun(run: string): Promise<FileError> {
  const has = (file: RunFile | 'plan.yaml') => exists(file === 'plan.yaml' ? join(run, file) : runFile(run, file))
  if ((await has('plan.yaml')) && (await statIfThere(join(run, 'runs')))?.isDirectory()) {
    return new FileError(`${run} is a sweep, not a run`, `give one of the folders in ${join(run, 'runs')}`)
  }
  if (await has('error')) {
    const why = `the run in ${run} failed: its ${RUN_FILES.error} says why`
    return new FileError(why, 'coop-ts sweep tries failed runs again')
  }
  if (await exists(join(run, 'prompt.safetensors'))) {
    return new FileError(
      `the run in ${run} is from an earlier version of coop-ts and cannot be read by this one`,
      LEARN_AGAIN,
    )
  }
  if (await has('settings')) {
    const remedy = 'finish it: coop-ts train DATA --out RUN --resume, or coop-ts sweep if it belongs to a sweep'
    return new FileError(`the run in ${run} is not finished`, remedy)
  }
  return new FileError(
    `${run} is not a run folder: it has no ${RUN_FILES.learned}`,
    'give a folder that coop-ts train wrote, or the folder of a run in a sweep',
  )
}
