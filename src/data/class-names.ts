import { FileError } from '../base/errors.ts'

/**
 * Throws FileError for a single class, and for names that differ only in case or `_`: prompts show `_` as a space and
 * the tokenizer lowers the case, so that names which agree after that are one class twice.
 *
 * @param where what messages begin with: the folder or file
 */
export function checkDistinctClasses(where: string, names: readonly string[], remedy: string): void {
  if (names.length === 1) {
    throw new FileError(`${where} has only one class, "${names[0]}"`, 'a classifier needs at least two classes')
  }
  const seen = new Map<string, string>()
  for (const name of names) {
    const words = name.normalize('NFC').replaceAll('_', ' ').replace(/\s+/g, ' ').trim().toLowerCase()
    const earlier = seen.get(words)
    if (earlier !== undefined) {
      throw new FileError(`${where}: duplicate class names: "${earlier}" and "${name}" give the same prompt`, remedy)
    }
    seen.set(words, name)
  }
}
