import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { isObject, parseJson, wholeNumbersByKey } from '../../formats/json.ts'
import { mapOf, readSchema } from '../../formats/schema.ts'
import { type AddedToken, type Merge, SPECIAL_TOKENS, type TokenizerTables } from './tokenizer.ts'

/** Texts of a tokenizer's two files and what messages call them. */
export interface VocabularyFiles {
  readonly vocab: string
  readonly merges: string
  readonly vocabName: string
  readonly mergesName: string
  /** `added_tokens.json` beside them, or a `tokenizer.json`, which has such tokens, too. */
  readonly added?: { readonly text: string; readonly name: string }
}

const idSchema = mapOf(z.int().nonnegative())

/** Ids by token. A schema takes ten times as long for CLIP's 49,408 as a loop: it is asked only for what is wrong. */
const vocabSchema = z.unknown().transform((given, { issues }): Map<string, number> => {
  const ids = idsOf(given)
  if (ids) return ids
  const { data, error } = idSchema.safeParse(given, { reportInput: true })
  for (const { path, message } of error?.issues ?? []) issues.push({ code: 'custom', path, message, input: given })
  return data ?? z.NEVER
})

/** Undefined where something is no id. */
function idsOf(given: unknown): Map<string, number> | undefined {
  if (!isObject(given)) return undefined
  const ids = new Map<string, number>()
  for (const token of Object.keys(given)) {
    const id = given[token]
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) return undefined
    ids.set(token, id)
  }
  return ids
}

/** Tables of `vocab.json` + `merges.txt`. Throws FileError naming file and line. */
export function parseVocabulary({ vocab, merges, vocabName, mergesName, added }: VocabularyFiles): TokenizerTables {
  const ids = wholeNumbersByKey(vocab) ?? readSchema(vocabSchema, parseJson(vocab, vocabName), vocabName)
  return withAdded(
    { vocab: ids, merges: parseMerges(merges, mergesName) },
    added === undefined ? [] : parseAdded(added.text, added.name),
    vocabName,
  )
}

/** Of `added_tokens.json` (content -> id), or of a `tokenizer.json`. */
function parseAdded(text: string, name: string): AddedToken[] {
  const parsed = parseJson(text, name)
  if (!name.endsWith('added_tokens.json')) {
    return (readSchema(addedSchema, parsed, name).added_tokens ?? []).map(addedToken)
  }
  const ids = readSchema(vocabSchema, parsed, name)
  return Array.from(ids, ([content, id]) => ({ content, id, normalized: true, singleWord: false }))
}

/** Merges, one a line, most important first; a first line that states a version is none. Throws FileError naming the line. */
export function parseMerges(text: string, name: string): Merge[] {
  const merges: Merge[] = []
  for (let start = 0, number = 1; start < text.length; number++) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, end).trimEnd()
    // `"bpe_simple_vocab_16e6.txt#version: 0.2` in OpenAI's file
    const isNote = number === 1 && /^(?:"?bpe_\w+\.txt)?#version/.test(line)
    if (line !== '' && !isNote) merges.push(mergeOf(line) ?? noMerge(line, `${name}, line ${number}`))
    start = end + 1
  }
  return merges
}

function mergeOf(text: string): Merge | undefined {
  const space = text.indexOf(' ')
  const right = text.slice(space + 1)
  return space > 0 && right !== '' && !right.includes(' ') ? [text.slice(0, space), right] : undefined
}

function noMerge(text: string, where: string): never {
  throw new FileError(`${where}: "${text}" is not two symbols separated by a space`, 'download the file again')
}

const addedSchema = z.object({
  added_tokens: z
    .array(
      z.object({
        id: z.int().nonnegative(),
        content: z.string(),
        normalized: z.boolean().optional(),
        single_word: z.boolean().optional(),
      }),
    )
    .optional(),
})

type FastToken = NonNullable<z.output<typeof addedSchema>['added_tokens']>[number]

/** White space that such a token strips (`lstrip`, `rstrip`) makes no tokens in CLIP. */
function addedToken({ id, content, normalized = true, single_word: singleWord = false }: FastToken): AddedToken {
  return { id, content, normalized, singleWord }
}

/** Tables with added tokens in the vocabulary, which is changed; start and end token are found by themselves. */
function withAdded(
  { vocab, merges }: { vocab: Map<string, number>; merges: readonly Merge[] },
  added: readonly AddedToken[],
  name: string,
): TokenizerTables {
  for (const { id, content } of added) vocab.set(content, id)
  checkIds(vocab, name)
  const own = added.filter(({ content }) => !SPECIALS.has(content))
  return { vocab, merges, added: own.length > 0 ? own : undefined }
}

const SPECIALS = new Set<string>(SPECIAL_TOKENS.flat())

const fastSchema = z.object({
  model: z.object({
    type: z.literal('BPE').optional(),
    vocab: vocabSchema,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    end_of_word_suffix: z.literal('</w>'),
  }),
  added_tokens: addedSchema.shape.added_tokens,
})

/** Tables of a `tokenizer.json` (the layout of Hugging Face's fast tokenizers). Throws FileError naming the file. */
export function parseTokenizerJson(text: string, name: string): TokenizerTables {
  const { model, added_tokens: added = [] } = readSchema(fastSchema, parseJson(text, name), name)
  const merges = model.merges.map((merge, index) =>
    typeof merge === 'string' ? (mergeOf(merge) ?? noMerge(merge, `${name}, model.merges[${index}]`)) : merge,
  )
  return withAdded({ vocab: model.vocab, merges }, added.map(addedToken), name)
}

/** Throws FileError that names two tokens of one id. */
function checkIds(vocab: ReadonlyMap<string, number>, name: string): void {
  if (new Set(vocab.values()).size === vocab.size) return
  const tokens = new Map<number, string>()
  for (const [token, id] of vocab) {
    const other = tokens.get(id)
    if (other !== undefined)
      throw new FileError(`${name}: "${other}" and "${token}" have the same id ${id}`, 'download the file again')
    tokens.set(id, token)
  }
}
