import type { Dataset } from '../data/items.ts'
import { findOfficialDataset } from '../datasets/official/table.ts'
import { openDataset } from '../datasets/open.ts'
import { BUNDLED } from '../node/package.ts'
import { type Inputs, inputsOf, type JobSource, memory } from '../trained/inputs.ts'
import type { Job } from '../trained/job.ts'
import type { DataOptions } from './dataset.ts'
import { openModel } from './model.ts'
import { type PictureOptions, pictureReader } from './pictures.ts'

export interface InputOptions extends PictureOptions, Omit<DataOptions, 'root'> {
  readonly cache: string
}

/** @throws FileError, UsageError if a model or data set cannot be used, when it is requested */
export function openInputs(given: InputOptions): Inputs {
  // a caller's options may have more in them, such as the seed of a run: which pictures are for testing depends on none
  const { cache, skipBadImages, transforms, exif, precision, imageColumn, labelColumn } = given
  const options: InputOptions = { cache, skipBadImages, transforms, exif, precision, imageColumn, labelColumn }
  const models = memory<Awaited<ReturnType<typeof openModel>>>(1)
  const datasets = memory<Dataset>(Number.POSITIVE_INFINITY)
  const placeOf = ({ paths }: Job, word: string) => (Object.hasOwn(paths, word) ? paths[word] : undefined) ?? word
  // a folder of runs may be called like a data set of the paper
  const dataPlace = (job: Job, word: string) => (findOfficialDataset(word) ? word : placeOf(job, word))
  /** Jobs may mean different data sets by the same word. */
  const key = (job: Job, word: string) => [dataPlace(job, word), job.root ?? '', job.testShare ?? ''].join('\n')
  const source = {
    key,
    model: (job, hooks, onNew) => {
      const place = job.model === BUNDLED ? BUNDLED : placeOf(job, job.model)
      return models(place, () => openModel(place, hooks, { cache, onNew }))
    },
    dataset: (job, word, hooks) =>
      datasets(key(job, word), () => {
        const { root, testShare } = job
        return openDataset(dataPlace(job, word), { ...options, root, testShare }, hooks)
      }),
  } satisfies JobSource
  return inputsOf(pictureReader(options.cache), source, options)
}
