import { basename, dirname, join } from 'node:path'
import { countOf } from '../base/count.ts'
import { CoopError, FileError, UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { type AboutWeights, readAbout, readClassWeights, readLabels } from '../exports/class-weights.ts'
import { readNpyMatrix } from '../formats/npy.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'
import { normaliseRows } from '../learning/vectors.ts'
import { classWeights } from '../methods/class-weights/index.ts'
import { withClaim } from '../node/claim.ts'
import { fileSource, readBytes, readText } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { givenNames, type ImportOptions } from './import.ts'
import { saveImported } from './imported-run.ts'
import { openModel } from './model.ts'
import { checkRunFolder } from './run-folder.ts'

/** What coop-ts export --format weights writes. */
export const WEIGHTS_FILES = {
  safetensors: 'weights.safetensors',
  npy: 'weights.npy',
  labels: 'labels.json',
  about: 'weights.json',
} as const

export interface ImportedWeights {
  readonly run: string
  readonly model: string
  readonly classNames: readonly string[]
}

/** Whether a file is class weights, by its name. */
export const isClassWeights = (file: string): boolean => /\.(safetensors|npy)$/i.test(file)

/**
 * Makes a run of class weights `(classes, embed)`: of a safetensors file with its labels, or of a NumPy file with
 * `labels.json` (and `weights.json`, if it is there) beside it. Rows are brought to length 1.
 *
 * @throws FileError for a file of another kind, CoopError for weights of another model
 */
export async function importWeights(file: string, options: ImportOptions, hooks: Hooks): Promise<ImportedWeights> {
  const { out, force, position } = options
  if (position !== undefined) {
    throw new UsageError('class weights have no position of the class name', 'leave out the position (--position)')
  }
  await checkRunFolder(out, { force })
  return withClaim(out, hooks, async (hooks) => {
    const { weights, labels, about } = await readWeights(file)
    const classNames = (await givenNames(options, hooks)) ?? labels
    if (classNames === undefined) {
      throw new UsageError(
        `${file} does not say which classes it has`,
        `put ${WEIGHTS_FILES.labels} beside it, a JSON list in the order of the rows, or give the names (--classes)`,
      )
    }
    const [rows, embed] = checkedShape(file, weights, classNames)
    const { clip, ...model } = await openModel(options.model, hooks)
    const name = model.path ?? model.name
    if (about.model !== undefined && about.model.fingerprint !== clip.fingerprint) {
      throw new CoopError(
        `${file} has class weights for another model, ${about.model.name}, than ${name}`,
        'give the model that they were made with (--model)',
      )
    }
    if (embed !== clip.config.embedDim) {
      throw new CoopError(
        `${file} has ${rows} rows of ${embed} values, and features of ${name} have ${clip.config.embedDim}`,
        'give the model that the weights were made with (--model)',
      )
    }
    await saveImported(file, options, {
      method: classWeights,
      settings: {},
      classNames,
      clip,
      model,
      transforms: about.transforms ?? options.transforms,
      exif: about.exif,
      // its label sets are all classes: what they follow from is not in the file
      trust: about.calibration && { ...about.calibration, truths: [] },
      tensors: new Map([['weights', normaliseRows(weights)]]),
      facts: { imported: basename(file), method: about.method },
    })
    return { run: out, model: name, classNames }
  })
}

/** Numbers of rows and columns, where there is a row for each class and all are directions. */
function checkedShape(file: string, weights: FloatTensor, classNames: readonly string[]): readonly [number, number] {
  if (weights.shape.length !== 2) {
    throw new FileError(`${file} holds (${weights.shape.join(', ')}) values`, 'give a matrix (classes, embed)')
  }
  const [rows, embed] = dims(weights, 2)
  if (rows !== classNames.length) {
    throw new FileError(
      `${file} has ${countOf(rows, 'row')} for ${countOf(classNames.length, 'class name')}`,
      'give a name for each row, in their order (--classes)',
    )
  }
  if (rows < 2) throw new FileError(`${file} has only one class, "${classNames[0]}"`, 'a classifier needs at least two')
  const isDirection = (row: Float32Array) => row.every(Number.isFinite) && row.some((x) => x !== 0)
  for (let r = 0; r < rows; r++) {
    if (isDirection(weights.data.subarray(r * embed, (r + 1) * embed))) continue
    throw new FileError(
      `${file} is damaged: row ${r + 1} is no direction (zeros, or not numbers)`,
      'write the file again',
    )
  }
  return [rows, embed]
}

interface Found {
  readonly weights: FloatTensor
  readonly labels?: readonly string[]
  readonly about: AboutWeights
}

async function readWeights(file: string): Promise<Found> {
  if (/\.safetensors$/i.test(file)) return readClassWeights(await fileSource(file))
  const weights = readNpyMatrix(file, await readBytes(file))
  const [labels, about] = [join(dirname(file), WEIGHTS_FILES.labels), join(dirname(file), WEIGHTS_FILES.about)]
  return {
    weights,
    labels: (await exists(labels)) ? readLabels(await readText(labels), labels) : undefined,
    about: (await exists(about)) ? readAbout(await readText(about), about) : {},
  }
}
