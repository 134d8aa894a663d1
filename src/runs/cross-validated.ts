import type { Hooks } from '../base/progress.ts'
import { openDataset } from '../datasets/open.ts'
import { openSealed } from '../formats/sealed.ts'
import { floatTensor } from '../graph/tensor.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { fileSource } from '../node/files.ts'
import { jsonObjectIfAny } from '../node/run-folder.ts'
import { type DecideOptions, decider } from '../trained/classify.ts'
import { described, subsetOf } from '../trained/drawn.ts'
import { judgedOf } from '../trained/judge.ts'
import { readTensors, type SavedRun } from '../trained/learned.ts'
import { judged as said, sharesOf } from '../trained/measure.ts'
import { worthByFolds } from '../trained/trust.ts'
import type { DataOptions, ShareOptions } from './dataset.ts'
import { type PictureOptions, pictureReader } from './pictures.ts'
import { calledIn, writePredictions } from './predictions.ts'
import { readRecord, runFile } from './run-folder.ts'

interface Asked extends PictureOptions, DataOptions, ShareOptions, DecideOptions {
  readonly transfer?: boolean
  readonly predictions?: string
}

/**
 * What a run was cross-validated at, where it is asked about the very pictures that it learned from and withheld none of;
 * undefined where it is not.
 */
export async function crossValidated(saved: SavedRun, data: string, options: Asked, hooks: Hooks) {
  const { run, testShare: share, exif, transforms, trust } = saved
  const isSame = (asked: unknown, own: unknown) => asked === undefined || asked === own
  if (share !== 0 || !isSame(options.testShare, 0) || options.transfer) return undefined
  if (!isSame(options.exif, exif ?? 'ignore') || !isSame(options.transforms, transforms)) return undefined
  const record = await readRecord(run)
  if (record?.measured !== 'cross-validated') return undefined
  const { cache = defaultCacheDir() } = options
  const dataset = await openDataset(data, { ...options, exif: exif ?? 'ignore', cache, testShare: 0 }, hooks)
  const { train } = subsetOf(record, dataset)
  const then = await jsonObjectIfAny(runFile(run, 'settings'))
  const isOwn =
    dataset.test.length === 0 &&
    String(then?.classNames) === String(dataset.classNames) &&
    Object(then?.pictures).train === (await described(pictureReader(cache), train))
  if (!isOwn) return undefined
  decider(saved, options)
  const judged = judgedOf(await readTensors(await openSealed(await fileSource(runFile(run, 'judged')))), train)
  const { logits, labels } = judged
  const { classNames } = dataset
  const { answers, above } = await said(logits, labels)
  const shares = { measured: record.measured, ...sharesOf(classNames, answers, labels, above), transforms }
  const files = judged.images.flatMap((i) => (train[i] === undefined ? [] : calledIn(dataset.root, train[i])))
  const told = { files, labels, classNames, logits, temperature: trust?.temperature }
  const written = options.predictions === undefined ? undefined : await writePredictions(options.predictions, told)
  if (trust === undefined || (options.reject ?? options.sets) === undefined) {
    const { reject, sets } = record.worth ?? {}
    return { ...shares, reject: reject ?? undefined, sets: trust?.sets === undefined ? undefined : sets, written }
  }
  const { reject = trust.reject, sets = trust.sets } = options
  const asked = await worthByFolds(judged, floatTensor([0, classNames.length]), { ...trust, reject }, { sets })
  return { ...shares, reject: asked.reject ?? undefined, sets: sets === undefined ? undefined : asked.sets, written }
}
