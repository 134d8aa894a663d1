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
import { worthByFolds } from '../trained/trust.ts'
import type { DataOptions, ShareOptions } from './dataset.ts'
import { type PictureOptions, pictureReader } from './pictures.ts'
import { writePredictions } from './predictions.ts'
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
  const { measured, tested = 0, accuracy, chance, interval, perClass, meanPerClass, top5, confusion } = record
  if (accuracy == null || chance == null || interval == null || perClass == null) return undefined
  if (meanPerClass == null || confusion == null) return undefined
  const shares = { tested, accuracy, chance, interval, perClass, meanPerClass, top5: top5 ?? undefined, confusion }
  const known = { measured, ...shares, transforms }
  const judged = async () =>
    judgedOf(await readTensors(await openSealed(await fileSource(runFile(run, 'judged')))), train)
  const { classNames, root } = dataset
  let written: readonly string[] | undefined
  if (options.predictions !== undefined) {
    const { images, logits, labels } = await judged()
    const items = images.flatMap((i) => train[i] ?? [])
    const told = { root, items, labels, classNames, logits, temperature: trust?.temperature }
    written = await writePredictions(options.predictions, told)
  }
  if (trust === undefined || (options.reject ?? options.sets) === undefined) {
    const { reject, sets } = record.worth ?? {}
    return { ...known, reject: reject ?? undefined, sets: trust?.sets === undefined ? undefined : sets, written }
  }
  const { reject = trust.reject, sets = trust.sets } = options
  const asked = await worthByFolds(await judged(), floatTensor([0, classNames.length]), { ...trust, reject }, { sets })
  return { ...known, reject: asked.reject ?? undefined, sets: sets === undefined ? undefined : asked.sets, written }
}
