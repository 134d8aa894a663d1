import { countOf } from '../../base/count.ts'
import { FileError } from '../../base/errors.ts'
import { PARTS } from '../../data/split.ts'
import { isObject, type JsonPath, parseJson, placeInJson } from '../../formats/json.ts'
import { readText, writeFileAtomic } from '../../node/files.ts'
import type { Entry, Split } from './types.ts'

type Part = (typeof PARTS)[number]

/** One image as the file has it. */
type Row = readonly [name: string, label: number, className: string]

/** What is wrong with the value at a path of keys and indices. */
class Fault extends Error {
  constructor(
    readonly path: JsonPath,
    message: string,
    readonly remedy = 'download the split file again, or fix this line',
  ) {
    super(message)
  }
}

/**
 * Reads an official split file: `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`. Labels must be
 * 0, 1, 2 ... without a gap, and a label has one class name, the same in all parts.
 *
 * @throws FileError with file, line and column for what does not hold, and for paths that lead out of the image folder
 */
export async function readSplitFile(file: string): Promise<Split> {
  const text = (await readText(file)).replace(/^\ufeff/, '')
  try {
    return checkSplit(parseJson(text, file))
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    throw new FileError(`${file}:${placeInJson(text, fault.path)}: ${fault.message}`, fault.remedy)
  }
}

/** Writes a split in the official format, as Python's `json.dump(..., indent=4)` does. */
export async function writeSplitFile(file: string, split: Split): Promise<void> {
  const row = ({ name, label }: Entry): Row => [name, label, split.classNames[label] ?? '']
  const rows = { train: split.train.map(row), val: split.val.map(row), test: split.test.map(row) }
  await writeFileAtomic(file, asciiOnly(JSON.stringify(rows, null, 4)))
}

const asciiOnly = (json: string): string =>
  json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

function checkSplit(value: unknown): Split {
  if (!isObject(value))
    throw new Fault([], 'this is not a split file: it should contain {"train": ..., "val": ..., "test": ...}')
  const names = new ClassNames()
  const [train, val, test] = [...PARTS].map((part) => entriesOf(value, part, names))
  return { classNames: names.all(), train: train ?? [], val: val ?? [], test: test ?? [] }
}

function entriesOf(split: Readonly<Record<string, unknown>>, part: Part, names: ClassNames): Entry[] {
  const rows = split[part]
  if (!Array.isArray(rows)) throw new Fault([part], `this split file has no list "${part}"`)
  return rows.map((row: unknown, i) => {
    const [name, label, className] = checkRow(row, [part, i])
    names.add(label, className, part, i)
    return { name, label }
  })
}

function checkRow(row: unknown, path: JsonPath): Row {
  if (!Array.isArray(row) || row.length !== 3) {
    throw new Fault(path, 'an image is a list of three items: its path, its label, its class name')
  }
  const [name, label, className]: unknown[] = row
  if (typeof name !== 'string' || name === '') throw new Fault([...path, 0], 'the path of an image must be a string')
  const trouble = pathTrouble(name)
  if (trouble)
    throw new Fault(
      [...path, 0],
      `the path ${JSON.stringify(name)} ${trouble}`,
      'paths are relative to the image folder and must stay inside it',
    )
  if (typeof label !== 'number' || !Number.isInteger(label) || label < 0) {
    throw new Fault([...path, 1], `a label is a whole number from 0 up, not ${JSON.stringify(label)}`)
  }
  if (typeof className !== 'string' || className.trim() === '') {
    throw new Fault([...path, 2], `a class name is a string, not ${JSON.stringify(className)}`)
  }
  return [name, label, className]
}

/** Why a path must not be followed. */
export function pathTrouble(name: string): string | undefined {
  if (name.includes('\0')) return 'has a zero byte in it'
  if (/^([/\\]|[a-zA-Z]:[/\\])/.test(name)) return 'is absolute'
  if (name.split(/[/\\]/).includes('..')) return 'leads outside the image folder'
  return undefined
}

/** Class names by label, as far as they are known, with the place where each was first seen. */
class ClassNames {
  private readonly byLabel = new Map<number, string>()
  private readonly byName = new Map<string, number>()
  private readonly first = new Map<number, readonly [Part, number]>()

  add(label: number, className: string, part: Part, i: number): void {
    const known = this.byLabel.get(label)
    if (known === className) return
    if (known !== undefined) {
      const where = this.first.get(label)?.[0]
      throw new Fault(
        [part, i, 2],
        `label ${label} is ${JSON.stringify(className)} here but ${JSON.stringify(known)} in ${where === part ? 'a line above' : `"${where}"`}`,
        'a label has one class name, the same in train, val and test',
      )
    }
    const other = this.byName.get(className)
    if (other !== undefined) {
      throw new Fault(
        [part, i, 1],
        `the class ${JSON.stringify(className)} has label ${label} here but ${other} above`,
        'a class has one label, the same in train, val and test',
      )
    }
    this.byLabel.set(label, className)
    this.byName.set(className, label)
    this.first.set(label, [part, i])
  }

  /** All names, by label. */
  all(): string[] {
    if (this.byLabel.size === 0) throw new Fault([], 'this split file lists no images')
    const labels = [...this.byLabel.keys()].sort((a, b) => a - b)
    const gap = labels.findIndex((label, i) => label !== i)
    if (gap !== -1) {
      const label = labels[gap] ?? 0
      const [part, i] = this.first.get(label) ?? ['train', 0]
      throw new Fault(
        [part, i, 1],
        `label ${label} is out of range: there ${labels.length === 1 ? 'is' : 'are'} ${countOf(labels.length, 'class', 'classes')}, and no image has label ${gap}`,
        'labels number the classes from 0 without gaps',
      )
    }
    return labels.map((label) => this.byLabel.get(label) ?? '')
  }
}
