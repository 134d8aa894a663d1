import { join } from 'node:path'
import { FileError } from '../base/errors.ts'
import { isCode, isNumber } from '../data/codes.ts'
import { readText } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'

/** Files in a folder of images, or beside a list, that name its classes. */
const NAMES_FILES = ['classes.txt', 'classnames.txt', 'labels.txt']

/** The first of them, for messages. */
export const namesFileIn = (folder: string): string => join(folder, NAMES_FILES[0] ?? '')

/** A file that names classes: a line each. */
export interface ClassFile {
  readonly file: string
  readonly lines: readonly string[]
}

/** The file that names the classes of a folder, if there is one. Throws FileError for an empty line. */
export async function readClassFile(folder: string): Promise<ClassFile | undefined> {
  for (const name of NAMES_FILES) {
    const file = join(folder, name)
    if (!(await exists(file))) continue
    const lines = (await readText(file))
      .replace(/^\uFEFF/, '')
      .trimEnd()
      .split(/\r\n|\n/)
      .map((line) => line.trim())
    const empty = lines.indexOf('')
    if (empty === -1) return { file, lines }
    throw new FileError(`${file}:${empty + 1}: the line is empty`, 'each line names a label, starting with label 0')
  }
  return undefined
}

/** How a class gets its name by that file, for messages. */
export const lineFor = (code: string, file: string): string => `put a line "${code} NAME" for each into ${file}`

/**
 * Names of labels by a file that names classes, `codes` their codes (codesAmong). Its lines begin with a code
 * (`n02012849 crane`), or they are names alone: of the numbers from 0, or of the ids in their order. Labels that are more
 * than their code are named by lines of the first kind only. Labels that it does not name are left out.
 *
 * @throws FileError for a file of names alone that has not one for each code
 */
export function namesOfCodes(codes: ReadonlyMap<string, string>, classFile: ClassFile): Map<string, string> {
  const { file, lines } = classFile
  const begun = linesByCode(classFile)
  if (begun !== undefined) {
    return new Map([...codes].flatMap(([label, code]) => entryOf(label, begun.get(plainCode(code)))))
  }
  const bare = [...codes.keys()].filter(isCode)
  if (bare.every(isNumber)) {
    const outside = bare.find((code) => Number(code) >= lines.length)
    if (outside === undefined) return new Map(bare.flatMap((code) => entryOf(code, lines[Number(code)])))
    throw new FileError(
      `${file}: its ${lines.length} lines name the labels 0 to ${lines.length - 1}, but there is a label ${outside}`,
      `add the missing names, or begin each line with its label: ${outside} NAME`,
    )
  }
  if (lines.length === bare.length) return new Map(bare.flatMap((code, i) => entryOf(code, lines[i])))
  throw new FileError(
    `${file} has ${lines.length} lines for ${bare.length} classes`,
    `begin each line with the class that it names: ${bare[0]} NAME`,
  )
}

/** The names of a file by the codes with which its lines begin; undefined where one has none. */
export function linesByCode({ lines }: ClassFile): Map<string, string> | undefined {
  const entries = lines.flatMap((line) => {
    const [, code = '', name = ''] = /^(\S+?)[\s,:;=]+(.+)$/.exec(line) ?? []
    return isCode(code) ? [[plainCode(code), name] as const] : []
  })
  return entries.length === lines.length ? new Map(entries) : undefined
}

/** 07 is 7. */
const plainCode = (code: string) => (isNumber(code) ? String(Number(code)) : code)

const entryOf = (label: string, name: string | undefined): [string, string][] =>
  name === undefined ? [] : [[label, name]]
