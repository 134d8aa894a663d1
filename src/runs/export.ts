import { join } from 'node:path'
import { anObject, aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { CoopError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { distinctNames } from '../data/class-names.ts'
import type { Item } from '../data/items.ts'
import { findOfficialDataset } from '../datasets/official/table.ts'
import { writeClassWeights } from '../exports/class-weights.ts'
import { classifierFile, type Exported } from '../exports/classifier-file.ts'
import type { WeightType } from '../exports/pack-weights.ts'
import { preprocessing } from '../exports/preprocessing.ts'
import { transformersConfigs } from '../exports/transformers.ts'
import { writeNpy } from '../formats/npy.ts'
import { floatTensor, mul, type Value } from '../graph/index.ts'
import { accuracyOf, type ImageClassifier } from '../learning/classifier.ts'
import { logitFactor } from '../learning/logits.ts'
import { argmaxRows, softmaxRows } from '../learning/vectors.ts'
import { withClaim } from '../node/claim.ts'
import { writeFileAtomic } from '../node/files.ts'
import { exists, type Rerun } from '../node/run-folder.ts'
import type { Runtime } from '../runtime/types.ts'
import type { SavedRun } from '../trained/learned.ts'
import { logitsOf } from '../trained/measure.ts'
import { pixelSource } from '../trained/pixels.ts'
import type { ShareOptions } from './dataset.ts'
import { type AskOptions, testPictures, withClassifier } from './evaluate.ts'
import { WEIGHTS_FILES } from './import-weights.ts'
import { checkOutFolder } from './out-folder.ts'
import { encodeSets, pictureReader } from './pictures.ts'
import { readRecord } from './run-folder.ts'
import { readSavedRun } from './saved-run.ts'

/** What a run can be written as. */
export const EXPORT_FORMATS = ['onnx', 'onnx-int8', 'weights', 'transformers'] as const
/** One of EXPORT_FORMATS. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Options of exportRun. */
export interface ExportOptions extends Omit<AskOptions, 'transforms' | 'exif'>, ShareOptions, Pick<Rerun, 'force'> {
  readonly format: ExportFormat
  /** Folder to write into. */
  readonly out: string
  /** Weights of the image tower in half precision, for `onnx` and `transformers`. */
  readonly float16?: boolean
  /** Data set whose test pictures rounded weights are measured on; default: the run's own, if it is there. */
  readonly data?: string
}

const EXPORT_OPTIONS: Readonly<Record<keyof ExportOptions, true>> = {
  format: true,
  out: true,
  float16: true,
  data: true,
  force: true,
  model: true,
  methods: true,
  device: true,
  threads: true,
  cache: true,
  skipBadImages: true,
  root: true,
  imageColumn: true,
  labelColumn: true,
  testShare: true,
}

/** What rounding the weights costs, on test pictures. */
export interface RoundingLoss {
  readonly pictures: number
  /** Fractions of 1: of the run, and of the file. */
  readonly accuracy: { readonly float32: number; readonly rounded: number }
  /** Share of pictures whose most probable class is the same. */
  readonly agreement: number
  /** Largest difference of a probability. */
  readonly difference: number
}

/** What exportRun wrote. */
export interface ExportResult {
  readonly format: ExportFormat
  readonly out: string
  readonly classNames: readonly string[]
  /** Names in `out` and their bytes. */
  readonly files: Readonly<Record<string, number>>
  /** Of rounded weights: what that costs, or why it was not measured. */
  readonly loss?: RoundingLoss | { readonly notMeasured: string }
}

/**
 * Writes what a run learned for other programs: one ONNX file of image tower and classifier, the class weights alone, or a
 * folder for @huggingface/transformers.
 *
 * @throws UsageError for an `out` with other files unless `force` is set; CoopError where the run's method does not fit the
 * format
 */
export async function exportRun(run: string, options: ExportOptions, hooks: Hooks = {}): Promise<ExportResult> {
  checkOptions('exportRun', options, Object.keys(EXPORT_OPTIONS))
  return exportRunAsGiven(run, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function exportRunAsGiven(run: string, options: ExportOptions, hooks: Hooks = {}): Promise<ExportResult> {
  checkArguments('exportRun', { run, options, hooks }, { run: aText, options: anObject, hooks: someHooks })
  const { format, out, float16 = false, force } = options
  checkArguments('exportRun', { out }, { out: aText })
  if (!EXPORT_FORMATS.includes(format)) {
    throw new UsageError(`there is no format ${JSON.stringify(format)}`, `the formats are ${EXPORT_FORMATS.join(', ')}`)
  }
  if (float16 && format !== 'onnx' && format !== 'transformers') {
    throw new UsageError(
      `float16 (--float16) does not go with the format ${format}`,
      'use it with onnx or transformers',
    )
  }
  const saved = await readSavedRun(run, options.methods)
  const { classNames, method, settings } = saved
  if (classNames.length < 2) {
    throw new CoopError(`${run} has only one class, "${classNames[0]}"`, 'a classifier needs at least two classes')
  }
  await checkOutFolder(out, [], { force })
  return withClaim(out, hooks, (hooks) =>
    withClassifier(saved, options, hooks, async (clip, runtime, classifier) => {
      const { transforms, exif = 'ignore', model } = saved
      const about = { name: method.name, title: method.title(settings), settings }
      const { temperature } = saved.trust ?? {}
      const run = { clip, classifier, method: about, modelName: model.name, transforms, exif, temperature }
      const exported: Exported = format === 'transformers' ? withCalibratedLogits(run) : run
      if (format === 'weights') return written(out, format, classNames, weightFiles(exported))

      const type: WeightType = format === 'onnx-int8' ? 'int8' : float16 ? 'float16' : 'float32'
      const loss = type === 'float32' ? undefined : await lossOf(saved, exported, type, runtime, options, hooks)
      const file = classifierFile(exported, type, loss && { loss })
      if (format !== 'transformers') return written(out, format, classNames, new Map([['model.onnx', file]]), loss)
      const shown = preprocessing(clip.config.preprocess, transforms, exif)
      if (shown.resize_before !== undefined) {
        hooks.onWarning?.(
          `${saved.run} was trained on pictures squashed twice (--transforms 2021-09), which preprocessor_config.json cannot say: ` +
            'its pictures are resized once, and probabilities differ a little',
        )
      }
      const configs = Array.from(
        transformersConfigs(clip.config, distinctNames(classNames), shown),
        ([name, config]) => {
          return [name, json(config)] as const
        },
      )
      return written(out, format, classNames, new Map([...configs, ['onnx/model.onnx', file]]), loss)
    }),
  )
}

/** Readers of this format take the softmax of the logits themselves: theirs are divided by the temperature. */
function withCalibratedLogits({ temperature = 1, ...exported }: Exported): Exported {
  const { classifier } = exported
  const { logitsOf } = classifier
  if (logitsOf === undefined || temperature === 1) return exported
  const divided = (x: Value) => mul(logitsOf(x), x.graph.scalar(1 / temperature))
  return { ...exported, classifier: { ...classifier, logitsOf: divided, logits: calibrated } }

  async function calibrated(...asked: Parameters<ImageClassifier['logits']>) {
    const logits = await classifier.logits(...asked)
    return floatTensor(
      logits.shape,
      logits.data.map((z) => z / temperature),
    )
  }
}

const json = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)

/** Class weights alone, in two formats, and what is known of them. */
function weightFiles(exported: Exported): Map<string, Uint8Array> {
  const { clip, classifier, method, modelName, transforms, exif, temperature = 1 } = exported
  const { classWeights: weights, classNames: labels, takes } = classifier
  if (takes !== 'features') {
    throw new CoopError(
      `${method.title} learned a change of the image tower, so class weights for the model's own features would be wrong`,
      'export the whole of it (--format onnx)',
    )
  }
  if (weights === undefined) {
    throw new CoopError(
      `the classifier of ${method.title} is more than one direction for each class`,
      'export the whole of it (--format onnx), or a run of zero-shot, class-mean, taskres, coop, kgcoop or prograd',
    )
  }
  const factor = logitFactor(clip)
  const about = {
    logit_scale: factor,
    temperature: 1 / factor,
    calibration: temperature === 1 ? undefined : { temperature },
    model: { name: modelName, fingerprint: clip.fingerprint },
    method: method.name,
    transforms,
    exif,
  }
  return new Map([
    [WEIGHTS_FILES.safetensors, writeClassWeights({ weights, labels, about })],
    [WEIGHTS_FILES.npy, writeNpy(weights)],
    [WEIGHTS_FILES.labels, json(labels)],
    [WEIGHTS_FILES.about, json(about)],
  ])
}

async function written(
  out: string,
  format: ExportFormat,
  classNames: readonly string[],
  files: ReadonlyMap<string, Uint8Array>,
  loss?: ExportResult['loss'],
): Promise<ExportResult> {
  for (const [name, bytes] of files) await writeFileAtomic(join(out, name), bytes)
  const sizes = Object.fromEntries(Array.from(files, ([name, { length }]) => [name, length]))
  return { format, out, classNames, files: sizes, loss }
}

/** What rounding costs on the pictures given, or else on the run's own test pictures where they are still there. */
async function lossOf(
  saved: SavedRun,
  exported: Exported,
  type: WeightType,
  runtime: Runtime,
  options: ExportOptions,
  hooks: Hooks,
): Promise<ExportResult['loss']> {
  const data = options.data ?? (await ownData(saved.run))
  if (data === undefined) return { notMeasured: 'the pictures that the run was tested on are not known' }
  const found = await testPictures(saved, data, options, hooks).catch((cause: unknown) => {
    if (options.data !== undefined || !(cause instanceof CoopError)) throw cause
    return { notMeasured: cause.message }
  })
  return 'notMeasured' in found ? found : measuredLoss(exported, type, found.items, runtime, options, hooks)
}

/** The data set that a run learned from, where it is from the current folder; those of the hub are not fetched for this. */
async function ownData(run: string): Promise<string | undefined> {
  const { dataset } = (await readRecord(run)) ?? {}
  if (dataset === undefined) return undefined
  return findOfficialDataset(dataset) !== undefined || (await exists(dataset)) ? dataset : undefined
}

/** Pictures of one run of the file. */
const BATCH = 32

async function measuredLoss(
  exported: Exported,
  type: WeightType,
  items: readonly Item[],
  runtime: Runtime,
  options: ExportOptions,
  hooks: Hooks,
): Promise<RoundingLoss> {
  const { clip, classifier, transforms, temperature } = exported
  const pictures = { ...options, transforms }
  const [images] = await encodeSets(clip, runtime, [{ items }], pictures, hooks)
  const expected = softmaxRows(
    await logitsOf(pictureReader(options.cache), classifier, clip, images, pictures, hooks),
    temperature,
  )
  const total = images.items.length
  const source = pixelSource(pictureReader(options.cache), clip, images.items, 0, 0, pictures)
  const session = await runtime.loadOnnx(classifierFile(exported, type))
  const probabilities = { ...expected, data: new Float32Array(expected.data.length) }
  try {
    for (let first = 0; first < total; first += BATCH) {
      hooks.signal?.throwIfAborted()
      const some = Array.from({ length: Math.min(BATCH, total - first) }, (_, i) => first + i)
      const outputs = await session.run({ pixel_values: await source.pixels(some, 0) })
      if (outputs.probabilities === undefined) throw new Error('an exported file gives no probabilities')
      probabilities.data.set(outputs.probabilities.data, first * classifier.classNames.length)
      hooks.onProgress?.({ kind: 'evaluate', done: first + some.length, total })
    }
  } finally {
    await session.dispose()
  }
  const answers = { float32: argmaxRows(expected), rounded: argmaxRows(probabilities) }
  const share = (given: readonly number[]) => accuracyOf(classifier.classNames, given, images.labels).accuracy
  return {
    pictures: total,
    accuracy: { float32: share(answers.float32), rounded: share(answers.rounded) },
    agreement: answers.float32.filter((c, i) => c === answers.rounded[i]).length / total,
    difference: expected.data.reduce((most, p, i) => Math.max(most, Math.abs(p - (probabilities.data[i] ?? 0))), 0),
  }
}
