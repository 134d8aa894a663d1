import { join } from 'node:path'
import { FileError } from '../base/errors.ts'
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

const NUMBER = /^\d+$/
/** An id of WordNet, as ImageNet's folders are called. */
const WORDNET_ID = /^n\d{8}$/

/** Whether a label is a number or a code, which says nothing in a prompt. */
export const isCode = (label: string): boolean => NUMBER.test(label) || WORDNET_ID.test(label)

/**
 * Names of codes by a file that names classes. Its lines begin with a code (`n02012849 crane`), or they are names alone:
 * of the numbers from 0, or of the codes in their order. Codes that it does not name are left out.
 *
 * @throws FileError for a file of names alone that has not one for each code
 */
export function namesOfCodes(codes: readonly string[], classFile: ClassFile): Map<string, string> {
  const { file, lines } = classFile
  const begun = linesByCode(classFile)
  if (begun !== undefined) return new Map(codes.flatMap((code) => entryOf(code, begun.get(plainCode(code)))))
  if (codes.every((code) => NUMBER.test(code))) {
    const outside = codes.find((code) => Number(code) >= lines.length)
    if (outside === undefined) return new Map(codes.flatMap((code) => entryOf(code, lines[Number(code)])))
    throw new FileError(
      `${file}: its ${lines.length} lines name the labels 0 to ${lines.length - 1}, but there is a label ${outside}`,
      `add the missing names, or begin each line with its label: ${outside} NAME`,
    )
  }
  if (lines.length === codes.length) return new Map(codes.flatMap((code, i) => entryOf(code, lines[i])))
  throw new FileError(
    `${file} has ${lines.length} lines for ${codes.length} classes`,
    `begin each line with the class that it names: ${codes[0]} NAME`,
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
const plainCode = (code: string) => (NUMBER.test(code) ? String(Number(code)) : code)

const entryOf = (code: string, name: string | undefined): [string, string][] =>
  name === undefined ? [] : [[code, name]]
