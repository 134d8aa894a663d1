import { UsageError } from '../base/errors.ts'
import { parseJson } from '../formats/json.ts'
import { readSchema } from '../formats/schema.ts'
import { descriptionsSchema, templatesSchema } from '../methods/templates-setting.ts'
import { isTemplate, type Templates } from '../methods/zero-shot/templates.ts'
import { readText } from '../node/files.ts'

/** Whether a word for prompts names a file of them. */
export const isTemplatesFile = (word: string): boolean => !isTemplate(word) && /\.(json|ya?ml)$/i.test(word)

/**
 * Prompts by the words for them: templates and names of ensembles, or one file, with descriptions of each class by its
 * name or a list of templates.
 *
 * @throws UsageError for a file beside other words; FileError for one that cannot be read or has something else in it
 */
export async function templatesOf(words: readonly string[] | undefined): Promise<Templates | undefined> {
  const file = words?.find(isTemplatesFile)
  if (file === undefined) return words
  if (words !== undefined && words.length > 1) {
    throw new UsageError(
      `the prompts of ${file} cannot be mixed with others`,
      'give the file alone, and put all prompts into it',
    )
  }
  const text = (await readText(file)).replace(/^\uFEFF/, '')
  const value = /\.json$/i.test(file) ? parseJson(text, file) : await yamlOf(text, file)
  const schema = Array.isArray(value) ? templatesSchema : descriptionsSchema
  return readSchema(schema, value, file, 'write it as {"cat": ["A small animal.", "It purrs."], "dog": [...]}')
}

async function yamlOf(text: string, file: string): Promise<unknown> {
  const { readYaml } = await import('../node/yaml.ts')
  const { faults, lines, value } = readYaml(text)
  const [fault] = faults
  if (fault === undefined) return value
  throw new UsageError(`${file}:${lines.linePos(fault.offset).line}: ${fault.message}`, 'correct the file')
}
