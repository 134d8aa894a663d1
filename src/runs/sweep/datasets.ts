import { CoopError, FileError } from '../../base/errors.ts'
import { largest } from '../../base/extremes.ts'
import type { Hooks } from '../../base/progress.ts'
import { checkLearnable, lackOfImages } from '../../data/fewshot.ts'
import type { Item } from '../../data/items.ts'
import { BUNDLED } from '../../node/package.ts'
import { partsOf } from '../../trained/drawn.ts'
import { checkGiven, type Inputs } from '../../trained/inputs.ts'
import type { Job } from '../../trained/job.ts'
import { warnOfPhotographs } from '../choose-model.ts'
import { checkTestable, checkThere } from '../dataset.ts'
import type { InputOptions } from '../inputs.ts'

/** What cannot be used as it is, by its word in the plan, and why. */
export type InputFaults = Map<string, CoopError>

/** The data sets of a job. */
export const needs = ({ dataset, elsewhere }: Job): readonly string[] => [dataset, ...elsewhere]

/**
 * Opens all data sets of jobs, and says where classes have fewer images than are drawn of each, and where the model is not
 * for them. Returns those that cannot be used.
 */
export async function checkDatasets(
  jobs: readonly Job[],
  inputs: Inputs,
  options: Partial<InputOptions>,
  hooks: Hooks,
): Promise<InputFaults> {
  const faults: InputFaults = new Map()
  let tested: readonly Item[] = []
  for (const word of new Set(jobs.flatMap(needs))) {
    const fault = await faultOf(
      checkDataset(word, jobs, inputs, options, hooks).then((test) => {
        tested = [...tested, ...test]
      }),
    )
    if (fault !== undefined) faults.set(word, fault)
  }
  if (jobs.some(({ model }) => model === BUNDLED)) warnOfPhotographs(BUNDLED, tested, hooks)
  return faults
}

/** Returns the test images. */
async function checkDataset(
  word: string,
  jobs: readonly Job[],
  inputs: Inputs,
  options: Partial<InputOptions>,
  hooks: Hooks,
): Promise<readonly Item[]> {
  const users = jobs.filter((job) => needs(job).includes(word))
  const own = users.filter(({ dataset }) => dataset === word)
  const [job] = users
  if (job === undefined) return []
  const dataset = await inputs.dataset(job, word, hooks)
  checkTestable(dataset, word)
  const learned = own.filter(({ shots }) => shots !== 0)
  if (learned.length > 0) checkLearnable(dataset)
  for (const job of own) checkGiven(job, dataset)
  // the official code takes what there is of a class with too few images; so do runs, but they say so
  const numbers = learned.flatMap(({ shots }) => (shots === 'all' ? [] : [shots]))
  const most = learned.find(({ validates }) => validates) ?? job
  const lack = lackOfImages(partsOf(most, dataset), Math.max(0, largest(numbers)))
  if (lack !== undefined) hooks.onWarning?.(lack)
  // the pictures of a data set that is only measured on are its test images
  const { train, val, test } = dataset
  await checkThere(dataset, own.length > 0 ? [...train, ...val, ...test] : test, options)
  return test
}

/** What some work refuses; other errors are thrown. */
export async function faultOf(work: Promise<unknown>): Promise<CoopError | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof CoopError) return error
    throw error
  }
}

/** One error for all that cannot be used: what each lacks, and each remedy once. */
export function missingError(faults: InputFaults): CoopError {
  const all = [...faults.values()]
  const [first] = all
  if (first !== undefined && all.length === 1) return first
  const remedies = new Set(all.flatMap(({ remedy }) => remedy ?? []))
  return new FileError(
    `${all.length} data sets of the plan cannot be used:\n${all.map(({ message }) => `- ${message}`).join('\n')}`,
    [...remedies].join('\n'),
  )
}
