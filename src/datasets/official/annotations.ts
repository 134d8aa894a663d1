import { join } from 'node:path'
import { FileError } from '../../base/errors.ts'
import { readText } from '../../node/files.ts'
import { splitTrainval } from './shares.ts'
import { pathTrouble } from './split-file.ts'
import type { Entry, RawReader, Split } from './types.ts'

// Lists of images as text, a line each. `parse` turns a line into an image; what it throws names file and line.

type NamedEntry = Entry & { readonly className: string }

/** OxfordPets: `Abyssinian_100 1 1 1`, breed and number, then the class from 1 on. */
export const readPets: RawReader = async ({ folder }, random) => {
  const read = (file: string) =>
    readLines(join(folder, 'annotations', file), (line): NamedEntry => {
      const [image = '', label, ...rest] = line.split(' ')
      const className = image.split('_').slice(0, -1).join('_').toLowerCase()
      if (rest.length !== 2 || className === '') throw new Error('a line is like "Abyssinian_100 1 1 1"')
      return { name: `${image}.jpg`, label: wholeNumber(label) - 1, className }
    })
  const [trainval, test] = [await read('trainval.txt'), await read('test.txt')]
  const parts = { ...splitTrainval(join(folder, 'annotations/trainval.txt'), trainval, random), test }
  return { classNames: namesByLabel([...trainval, ...test], join(folder, 'annotations')), ...parts }
}

/** FGVCAircraft has its own three parts: `1025794 707-320`, image and variant; `variants.txt` counts the classes. */
export const readAircraft: RawReader = async ({ folder }) => {
  const classNames = await readLines(join(folder, 'variants.txt'), (line) => line)
  const labels = indexOf(classNames)
  const read = (file: string) =>
    readLines(join(folder, file), (line): Entry => {
      const [image = '', ...variant] = line.split(' ')
      return { name: `${image}.jpg`, label: labelOf(labels, variant.join(' '), 'variants.txt') }
    })
  const train = await read('images_variant_train.txt')
  const val = await read('images_variant_val.txt')
  return { classNames, train, val, test: await read('images_variant_test.txt') }
}

/** SUN397: `/a/airplane_cabin/sun_aaxc.jpg`; `ClassName.txt` counts the classes. Class `/c/church/indoor` is "indoor church". */
export const readScenes: RawReader = async ({ folder }, random) => {
  const classes = await readLines(join(folder, 'ClassName.txt'), (line) => line.slice(1))
  const labels = indexOf(classes)
  const read = (file: string) =>
    readLines(join(folder, file), (line): Entry => {
      const name = line.slice(1)
      return { name, label: labelOf(labels, name.split('/').slice(0, -1).join('/'), 'ClassName.txt') }
    })
  const trainval = await read('Training_01.txt')
  const test = await read('Testing_01.txt')
  const classNames = classes.map((name) => name.split('/').slice(1).reverse().join(' '))
  return { classNames, ...splitTrainval(join(folder, 'Training_01.txt'), trainval, random), test }
}

/** UCF101: `ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1`; the pictures are in `Apply_Eye_Makeup`. */
export const readActions: RawReader = async ({ folder }, random) => {
  const lists = join(folder, 'ucfTrainTestlist')
  const classes = await readLines(join(lists, 'classInd.txt'), (line) => {
    const [label, name = ''] = line.split(' ')
    if (name === '') throw new Error('a line is like "1 ApplyEyeMakeup"')
    return { name: name, label: wholeNumber(label) - 1, className: inWords(name) }
  })
  const labels = new Map(classes.map(({ name, label }) => [name, label]))
  const read = (file: string) =>
    readLines(join(lists, file), (line): Entry => {
      const [video = ''] = line.split(' ')
      const [action = '', image = '', ...rest] = video.split('/')
      if (image === '' || rest.length > 0) throw new Error('a line is like "Archery/v_Archery_g08_c01.avi 3"')
      const name = `${inWords(action)}/${image.replaceAll('.avi', '.jpg')}`
      return { name, label: labelOf(labels, action, 'classInd.txt') }
    })
  const trainval = await read('trainlist01.txt')
  const test = await read('testlist01.txt')
  const parts = { ...splitTrainval(join(lists, 'trainlist01.txt'), trainval, random), test }
  return { classNames: namesByLabel(classes, join(lists, 'classInd.txt')), ...parts }
}

/** `ApplyEyeMakeup` -> `Apply_Eye_Makeup`: a word begins at each capital. */
const inWords = (action: string): string => (action.match(/[A-Z][^A-Z]*/g) ?? []).join('_')

/** What `parse` makes of each line of a file, blank ones left out. */
async function readLines<T>(file: string, parse: (line: string) => T): Promise<T[]> {
  const lines = (await readText(file)).split(/\r?\n/)
  return lines.flatMap((line, i) => {
    const stripped = line.trim()
    if (stripped === '') return []
    try {
      const trouble = pathTrouble(stripped.replace(/^\//, ''))
      if (trouble) throw new Error(`the path ${trouble}`)
      return [parse(stripped)]
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new FileError(`${file}:${i + 1}: ${why}`, 'download the annotation again', { cause })
    }
  })
}

function wholeNumber(text = ''): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new Error(`a class is a whole number from 1 up, not ${JSON.stringify(text)}`)
}

const indexOf = (names: readonly string[]): Map<string, number> => new Map(names.map((name, i) => [name, i]))

function labelOf(labels: ReadonlyMap<string, number>, name: string, file: string): number {
  const label = labels.get(name)
  if (label !== undefined) return label
  throw new Error(`${file} has no class ${JSON.stringify(name)}`)
}

/** The class name of each label. Throws FileError for a label with two names and for a gap. */
function namesByLabel(entries: readonly Omit<NamedEntry, 'name'>[], file: string): Split['classNames'] {
  const names = new Map<number, string>()
  for (const { label, className } of entries) {
    const known = names.get(label) ?? className
    if (known !== className) {
      throw new FileError(
        `${file}: class ${label + 1} is both "${known}" and "${className}"`,
        'download the annotation again',
      )
    }
    names.set(label, className)
  }
  return Array.from({ length: names.size }, (_, label) => {
    const name = names.get(label)
    if (name !== undefined) return name
    throw new FileError(`${file}: class ${label + 1} has no image`, 'download the annotation again')
  })
}
