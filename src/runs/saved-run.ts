import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { FileError, UsageError } from '../base/errors.ts'
import { readSchema } from '../formats/schema.ts'
import { coop, coopSettings } from '../methods/coop/index.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { fileSource } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS_NAMES } from '../pictures/transforms.ts'
import { readLearned, type SavedLearned } from './learned.ts'
import { isModelWord } from './model-word.ts'
import { orRemedy, readRunPrompt, readRunSettings } from './run.ts'
import { RUN_FILES } from './run-files.ts'

/** What a finished run learned, and what messages call it. */
export interface SavedRun extends SavedLearned {
  readonly run: string
}

/**
 * What a finished run learned: of `coop train` by any method, of `coop import`, or one of a sweep's (`OUT/runs/ID`).
 * Throws FileError where there is none, or a file of it is damaged.
 */
export async function readSavedRun(run: string): Promise<SavedRun> {
  const learned = join(run, RUN_FILES.learned)
  if (await exists(learned)) {
    return { run, ...(await orRemedy(readLearned(await fileSource(learned)), LEARN_AGAIN)) }
  }
  if (!(await exists(join(run, RUN_FILES.prompt)))) await refuseFailedRuns(run)
  return savedPrompt(run)
}

/** What can be done about a run that is damaged. */
export const LEARN_AGAIN =
  'learn it again: coop train with --force, or for a run of a sweep coop sweep once its folder is removed'

/** Runs that learned a prompt say the rest in settings.json; those of before there was a choice of transforms are of today's. */
const settingsSchema = z.object({
  about: z.object({
    model: z.string(),
    transforms: z.enum(TRANSFORMS_NAMES).default(DEFAULT_TRANSFORMS),
    templates: z
      .array(z.string())
      .min(1)
      .default(() => [...DEFAULT_TEMPLATES]),
  }),
})

async function savedPrompt(run: string): Promise<SavedRun> {
  const { M, position, classSpecific, classNames, ctx, model: fingerprint } = await readRunPrompt(run)
  const file = `${RUN_FILES.settings} of ${run}`
  const { model: name, ...about } = readSchema(settingsSchema, await readRunSettings(run), file).about
  return {
    ...about,
    run,
    method: coop,
    settings: coopSettings.parse({ M, position, classSpecific }),
    classNames,
    model: { name, fingerprint },
    split: 'all',
    tensors: new Map([['ctx', ctx]]),
  }
}

/** Throws FileError where a folder is a whole sweep, or a run of one that did not end well. */
async function refuseFailedRuns(run: string): Promise<void> {
  const has = (...path: string[]) => exists(join(run, ...path))
  if ((await has('plan.yaml')) && (await stat(join(run, 'runs')).catch(() => undefined))?.isDirectory()) {
    throw new FileError(`${run} is a sweep, not a run`, `give one of the folders in ${join(run, 'runs')}`)
  }
  if (await has(RUN_FILES.error)) {
    throw new FileError(
      `the run in ${run} failed: its ${RUN_FILES.error} says why`,
      'coop sweep tries failed runs again',
    )
  }
}

/** The word for a run's model, if that is there still. */
export async function modelOf({ run, model: { name } }: SavedRun): Promise<string> {
  if (isModelWord(name) || (await exists(name))) return name
  throw new UsageError(
    `the model that ${run} was trained on is not in ${name} any more`,
    'say where it is now (--model)',
  )
}
