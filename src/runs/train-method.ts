import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Hooks } from '../base/progress.ts'
import { architectureOf } from '../clip/known-models.ts'
import { checkShots, drawSubset } from '../data/fewshot.ts'
import { readSchema } from '../formats/schema.ts'
import { methodNamed } from '../methods/index.ts'
import { templatesSetting } from '../methods/templates-setting.ts'
import { zeroShotClassifier } from '../methods/zero-shot/features.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { exists, readJsonObject } from '../node/run-folder.ts'
import { DEFAULT_TRANSFORMS } from '../pictures/transforms.ts'
import { recordSchema } from '../report/record.ts'
import { accuracyFrom, checkThere, openForTesting, shortName } from './folder.ts'
import { withModel } from './model.ts'
import { encodeSets, imageRows, openOnlineViews, pictureSet } from './pictures.ts'
import { checkFolder } from './run.ts'
import { clearRun, RUN_FILES } from './run-files.ts'
import { environmentOf } from './sweep/environment.ts'
import type { Job } from './sweep/jobs.ts'
import { runJob, whatDecides } from './sweep/run-job.ts'
import { checkEveryClass, type FewShotOptions, type TrainResult } from './train.ts'

export interface MethodOptions extends FewShotOptions {
  /** A row of METHODS. */
  readonly method: string
}

export interface MethodResult extends TrainResult {
  readonly method: string
  /** What was found on the way, such as the C of a linear probe. */
  readonly facts: Readonly<Record<string, unknown>>
}

const resultsSchema = recordSchema.extend({ zeroShot: z.number() })

/**
 * Learns by any method from a few images of a data set, as a run of a sweep does, and compares it with hand-written
 * prompts on the test images. All that can be refused is refused before the first picture is read.
 */
export async function trainMethod(data: string, options: MethodOptions, hooks: Hooks): Promise<MethodResult> {
  const started = performance.now()
  const { settings, seed, transforms = DEFAULT_TRANSFORMS, resume, force } = options
  const { name, pictures, title, check } = methodNamed(options.method)
  const learns = pictures !== 'none'
  const shots = learns ? options.shots : 0
  const views = pictures === undefined ? options.views : 0
  const run = options.out ?? `runs/${[shortName(data), name, ...(learns ? [shots, seed] : [])].join('-')}`
  await checkFolder(run, { resume, force })
  const dataset = await openForTesting(data, options, hooks)
  if (learns) checkShots(dataset, shots)
  const { train, val } = learns ? drawSubset(dataset, shots, seed) : { train: [], val: [] }
  const { classNames, templates = DEFAULT_TEMPLATES, test } = dataset
  await checkThere(dataset, [...train, ...val, ...test], options)

  return withModel(options.model, options, hooks, async (clip, runtime, modelName) => {
    const decides = { method: name, settings, shots, seed, views, transforms }
    await checkFolder(run, { resume, force }, { job: decides, model: clip.fingerprint, classNames })
    check?.({ clip, classNames, templates, shots, seed, epochs: dataset.epochs }, settings)
    const own = options.templates ?? templatesSetting.parse(settings.templates) ?? templates
    const handWritten = await zeroShotClassifier(clip, runtime, classNames, own)

    const sets = [pictureSet(train, views, seed), { items: val }, { items: test }] as const
    const [images, valImages, testImages] = await encodeSets(clip, runtime, sets, options, hooks)
    if (learns) checkEveryClass(classNames, images)
    const zeroShot = accuracyFrom(classNames, handWritten.logits(imageRows(testImages)), testImages).accuracy
    const anew = views === 'online' ? await openOnlineViews(clip, runtime, images.items, seed, options) : undefined
    const job: Job = {
      ...decides,
      id: basename(resolve(run)),
      dataset: data,
      model: modelName,
      title: title(settings),
      split: 'all',
      elsewhere: [],
    }
    try {
      const inputs = {
        ...{ clip, runtime, modelName, train: images, val: valImages, online: anew?.online },
        test: { name: data, dataset, images: testImages },
        elsewhere: [],
        architecture: architectureOf(clip.config),
        environment: () => environmentOf(runtime, options),
        also: { zeroShot },
      }
      const { images: shown } = whatDecides(job, inputs)
      await checkFolder(run, { resume, force }, { images: shown })
      if (!resume) await clearRun(run)
      const file = join(run, RUN_FILES.results)
      if (resume && (await exists(file))) {
        return resultOf(readSchema(resultsSchema, await readJsonObject(file), file), run)
      }
      const record = await runJob(run, job, inputs, hooks)
      if (record.collapsed) hooks.onWarning?.(`${record.title} ended no better than chance: try another --seed`)
      return resultOf({ ...record, zeroShot, seconds: (performance.now() - started) / 1000 }, run)
    } finally {
      await anew?.dispose()
    }
  })
}

function resultOf(record: z.output<typeof resultsSchema>, run: string): MethodResult {
  const { method, zeroShot, accuracy, collapsed, steps, seconds, facts } = record
  return { method, zeroShot, accuracy, collapsed, steps, seconds, run, facts }
}
