import { join } from 'node:path'
import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { groupByLabel } from '../../data/fewshot.ts'
import { parseJson } from '../../formats/json.ts'
import { readSchema } from '../../formats/schema.ts'
import { readText } from '../../node/files.ts'
import { type MatValue, readMatFile } from './matlab.ts'
import { splitClasses, splitTrainval } from './shares.ts'
import { pathTrouble } from './split-file.ts'
import type { Entry, Place, RawReader } from './types.ts'

/** StanfordCars: `annotations` of structs with `class` (from 1) and `fname`; "Audi TTS Coupe 2012" is "2012 Audi TTS Coupe". */
export const readCars: RawReader = async ({ folder }, random) => {
  const meta = join(folder, 'devkit/cars_meta.mat')
  const classNames = (await cells(meta, 'class_names')).map((cell) => yearFirst(textOf(cell, meta)))
  const read = async (file: string, images: string) =>
    (await structs(file, 'annotations')).map((struct): Entry => {
      const label = numberOf(struct.get('class'), file) - 1
      const name = `${images}/${textOf(struct.get('fname'), file)}`
      if (classNames[label] === undefined)
        throw damaged(file, `${name} has class ${label + 1}, which is not in ${meta}`)
      const trouble = pathTrouble(name)
      if (trouble) throw damaged(file, `the path ${name} ${trouble}`)
      return { name, label }
    })
  const trainFile = join(folder, 'devkit/cars_train_annos.mat')
  const trainval = await read(trainFile, 'cars_train')
  const test = await read(join(folder, 'cars_test_annos_withlabels.mat'), 'cars_test')
  return { classNames, ...splitTrainval(trainFile, trainval, random), test }
}

function yearFirst(name: string): string {
  const words = name.split(' ')
  return [...words.slice(-1), ...words.slice(0, -1)].join(' ')
}

/** Flowers102: `labels`, the class (from 1) of image 1, 2 ...; `cat_to_name.json` has the names. */
export const readFlowers: RawReader = async (place, random) => {
  const labels = await flowerLabels(place)
  const names = await flowerNames(place)
  const entries = labels.map((label, i) => ({ label, name: `image_${String(i + 1).padStart(5, '0')}.jpg` }))
  const groups = groupByLabel(entries)
  const classNames = groups.map((_, label) => {
    if (!labels.includes(label)) throw damaged(join(place.folder, LABELS), `class ${label + 1} has no image`)
    return names(label)
  })
  const classes = groups.map((group) => {
    const label = group[0]?.label ?? 0
    return { label, className: classNames[label] ?? '', names: group.map(({ name }) => name) }
  })
  return { classNames, ...splitClasses(place.images, classes, random) }
}

const LABELS = 'imagelabels.mat'

async function flowerLabels({ folder }: Place): Promise<number[]> {
  const file = join(folder, LABELS)
  const labels = await variable(file, 'labels')
  if (labels.kind !== 'numbers') throw damaged(file, '"labels" should be numbers')
  return Array.from(labels.data, (label) => {
    if (!Number.isInteger(label) || label < 1) throw damaged(file, `a label is a whole number from 1 up, not ${label}`)
    return label - 1
  })
}

async function flowerNames({ folder }: Place): Promise<(label: number) => string> {
  const file = join(folder, 'cat_to_name.json')
  const names = readSchema(z.record(z.string(), z.string()), parseJson(await readText(file), file), file)
  return (label) => {
    const name = names[String(label + 1)]
    if (name === undefined) throw new FileError(`${file}: class ${label + 1} has no name`, 'download the file again')
    return name
  }
}

async function variable(file: string, name: string): Promise<MatValue> {
  const value = (await readMatFile(file)).get(name)
  if (!value) throw damaged(file, `there is no variable "${name}"`)
  return value
}

async function cells(file: string, name: string): Promise<readonly MatValue[]> {
  const value = await variable(file, name)
  if (value.kind !== 'cells') throw damaged(file, `"${name}" should be a cell array`)
  return value.cells
}

async function structs(file: string, name: string): Promise<readonly ReadonlyMap<string, MatValue>[]> {
  const value = await variable(file, name)
  if (value.kind !== 'structs') throw damaged(file, `"${name}" should be an array of structs`)
  return value.structs
}

function textOf(value: MatValue | undefined, file: string): string {
  if (value?.kind === 'text') return value.text
  throw damaged(file, 'an entry should be a string')
}

function numberOf(value: MatValue | undefined, file: string): number {
  const number = value?.kind === 'numbers' ? value.data[0] : undefined
  if (number !== undefined && Number.isInteger(number)) return number
  throw damaged(file, 'an entry should be a whole number')
}

const damaged = (file: string, what: string): FileError => new FileError(`${file}: ${what}`, 'download the file again')
