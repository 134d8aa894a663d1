import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Hooks } from '../../base/progress.ts'
import { architectureOf } from '../../clip/known-models.ts'
import type { Clip } from '../../clip/types.ts'
import { drawSubset, lackOfImages } from '../../data/fewshot.ts'
import { type Half, halfOf } from '../../data/halves.ts'
import type { Dataset, Item } from '../../data/items.ts'
import { checkImages } from '../../datasets/check-images.ts'
import { findOfficialDataset } from '../../datasets/official/table.ts'
import { openDataset } from '../../datasets/open.ts'
import { methodNamed } from '../../methods/index.ts'
import { DEFAULT_TEMPLATES } from '../../methods/zero-shot/templates.ts'
import type { Runtime } from '../../runtime/types.ts'
import { openModel } from '../model.ts'
import { BUNDLED } from '../model-word.ts'
import {
  type EncodedItems,
  encodeSets,
  openOnlineViews,
  type PictureOptions,
  pictureSet,
  type Views,
} from '../pictures.ts'
import type { Job } from './jobs.ts'
import type { Plan } from './plan.ts'
import type { JobInputs, TestSet } from './run-job.ts'

/** The models and data sets of a sweep. */
export interface SweepInputs {
  load(model: string): Promise<Clip>
  /** Throws where settings, class names and model of any job do not fit. */
  check(clip: Clip, jobs: readonly Job[]): void
  /** Draws and encodes what a job learns from and is tested on. */
  prepare(job: Job, clip: Clip, runtime: Runtime, hooks: Hooks): Promise<Prepared>
}

type Prepared = Omit<JobInputs, 'clip' | 'runtime' | 'environment'>

/** Opens all data sets of a plan. Throws FileError, UsageError where one cannot be used. */
export async function openInputs(
  plan: Plan,
  jobs: readonly Job[],
  options: PictureOptions & { readonly cache: string; readonly root?: string },
  hooks: Hooks,
): Promise<SweepInputs> {
  const here = (name: string) => {
    const path = resolve(dirname(plan.file), name)
    return existsSync(path) ? path : name
  }
  const datasets = new Map<string, Dataset>()
  for (const name of new Set([...plan.datasets, ...plan.elsewhere])) {
    const { root = plan.root } = options
    // a folder of runs beside the plan may be called like a data set of the paper
    const word = findOfficialDataset(name) ? name : here(name)
    datasets.set(name, await openDataset(word, { ...options, ...(root !== undefined && { root }) }, hooks))
  }
  const datasetOf = (name: string): Dataset => {
    const found = datasets.get(name)
    if (found === undefined) throw new Error(`the data set ${name} was not opened`)
    return found
  }
  for (const [word, dataset] of datasets) {
    const own = jobs.filter((job) => job.dataset === word)
    warnOfFewImages(dataset, Math.max(0, ...own.map(({ shots }) => shots)), hooks)
    // the pictures of a data set that is only measured on are its test images
    if (!options.skipBadImages) await checkImages(dataset, own.length > 0 ? undefined : dataset.test)
  }
  const remember = memory<EncodedItems>()
  /** By which the models of the plan are found from anywhere. */
  const modelNames = new Map<string, string>()

  return {
    async load(model) {
      const { clip, name } = await openModel(model === BUNDLED ? model : here(model), hooks)
      modelNames.set(model, name)
      return clip
    },

    check(clip, jobs) {
      const seen = new Set<string>()
      for (const { dataset, method, settings, shots, seed, split } of jobs) {
        const key = JSON.stringify([dataset, method, settings, shots])
        if (seen.has(key)) continue
        seen.add(key)
        const { classNames, templates = DEFAULT_TEMPLATES, epochs } = halfOf(datasetOf(dataset), split)
        methodNamed(method).check?.({ clip, classNames, templates, shots, seed, epochs }, settings)
      }
    },

    async prepare(job, clip, runtime, hooks) {
      const dataset = datasetOf(job.dataset)
      const pictures = { ...options, transforms: job.transforms }
      const encode = (name: string, items: readonly Item[], views: Views = 0) =>
        remember(`${clip.fingerprint} ${name} ${views} ${job.transforms}`, async () => {
          const [encoded] = await encodeSets(clip, runtime, [pictureSet(items, views, job.seed)], pictures, hooks)
          return encoded
        })
      const testSet = async (name: string, word: string, half: Half): Promise<TestSet> => {
        const part = halfOf(datasetOf(word), half)
        return { name, dataset: part, images: await encode(`${word}, ${half}, test`, part.test) }
      }
      // drawn from all classes, as in the official code, and then halved
      const drawn = job.shots === 0 ? { train: [], val: [] } : drawSubset(dataset, job.shots, job.seed)
      const own = halfOf({ ...dataset, ...drawn }, job.split)
      const subset = `${job.dataset}, ${job.split}, ${job.shots} shots of seed ${job.seed}`
      const elsewhere: TestSet[] = []
      if (job.split === 'base') elsewhere.push(await testSet('new', job.dataset, 'new'))
      for (const name of job.elsewhere) elsewhere.push(await testSet(name, name, 'all'))
      const train = await encode(`${subset}, train`, own.train, job.views)
      const anew = job.views === 'online' ? await openOnlineViews(clip, runtime, train.items, job.seed, pictures) : {}
      return {
        ...anew,
        train,
        val: await encode(`${subset}, val`, own.val),
        test: await testSet(job.dataset, job.dataset, job.split),
        elsewhere,
        architecture: architectureOf(clip.config),
        modelName: modelNames.get(job.model) ?? job.model,
      }
    },
  }
}

/** The official code takes what there is of a class with too few images; so do sweeps, but they say so. */
function warnOfFewImages(dataset: Dataset, most: number, hooks: Hooks): void {
  const lack = lackOfImages(dataset, most)
  if (lack) hooks.onWarning?.(`${lack.message}; such classes give all they have, as in the official code`)
}

/** How many encoded sets stay in memory. */
const REMEMBERED = 8

/** Makes each thing once, also for those who ask while it is being made; the oldest are forgotten, and so are failures. */
function memory<T>(): (key: string, make: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, Promise<T>>()
  return (key, make) => {
    const found = kept.get(key) ?? make()
    kept.delete(key)
    kept.set(key, found)
    found.catch(() => kept.delete(key))
    for (const oldest of kept.keys()) {
      if (kept.size <= REMEMBERED) break
      kept.delete(oldest)
    }
    return found
  }
}
