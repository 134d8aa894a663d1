import { countOf } from '../base/count.ts'
import { CoopError, UsageError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import type { Position } from './layout.ts'
import { type LearnedPrompt, learnedPrompt } from './learned-prompt.ts'
import type { OfficialCheckpoint } from './official-checkpoint.ts'
import { tokensOfEmbeddings } from './token-lookup.ts'

/** How the class names of an imported prompt are known. */
export type NamesFrom =
  /** Read from the checkpoint's own embeddings. */
  | 'checkpoint'
  /** Given, and the same as the checkpoint's, perhaps in another order. */
  | 'verified'
  /** Given, and other than the checkpoint's: the context is transferred to them. */
  | 'transferred'
  /** Given; the checkpoint has nothing to compare with. */
  | 'given'

export interface ImportedPrompt {
  readonly prompt: LearnedPrompt
  readonly names: NamesFrom
}

/**
 * A checkpoint of the official code as a prompt for `clip`: checked against the model's embeddings, class names taken
 * from it or compared with those that are given. The official code counts the words that a context begins from, takes
 * that many tokens, and leaves the others before each name: what all names begin with is taken for these (`fixed`)
 * where one context is for all classes, unless the names that are given begin with it, too.
 *
 * @param classNames in any order, where the checkpoint says which is which; else in the order of the labels
 * @throws CoopError when it was learned on another model, or the class names are not those of its contexts
 */
export function importPrompt(
  clip: Clip,
  checkpoint: OfficialCheckpoint,
  position: Position,
  classNames?: readonly string[],
): ImportedPrompt {
  checkModel(clip, checkpoint)
  const { ctx } = checkpoint
  const classSpecific = ctx.shape.length === 3
  const M = ctx.shape.at(-2) ?? 0
  const rows = learnedTokens(clip, checkpoint)
  const { names, from, fixed } = chooseNames(clip, rows, classNames, classSpecific ? ctx.shape[0] : undefined)
  const shape = { M, position, classSpecific, fixed: fixed.length > 0 ? fixed : undefined }
  return { prompt: learnedPrompt(clip.fingerprint, names, shape, ctx), names: from }
}

function checkModel(clip: Clip, { ctx, prefix }: OfficialCheckpoint): void {
  const [width, own] = [ctx.shape.at(-1), clip.config.text.width]
  if (width !== own) {
    throw new CoopError(
      `the prompt was learned with another model: its vectors have ${width} values, the words of this model have ${own}`,
      `give the model that it was learned with (--model)${ofWidth(width)}`,
    )
  }
  if (prefix === undefined) return
  const starts = tokensOfEmbeddings(clip, prefix).flat()
  if (starts.every((token) => token === clip.tokenizer.startToken)) return
  throw new CoopError(
    "the prompt was learned with another model: its start token differs from this model's",
    `give the model that it was learned with (--model)${ofWidth(width)}`,
  )
}

/** The models of OpenAI by the width of their text tower. */
const BY_WIDTH: ReadonlyMap<number | undefined, string> = new Map([
  [512, 'RN50, RN101, ViT-B/32 or ViT-B/16'],
  [640, 'RN50x4'],
  [768, 'RN50x16, ViT-L/14 or ViT-L/14@336px'],
  [1024, 'RN50x64'],
])

function ofWidth(width: number | undefined): string {
  const models = BY_WIDTH.get(width)
  return models === undefined ? '' : `; among OpenAI's models, ${models} have vectors of this size`
}

/** Tokens of what stands behind the context: rest of the first words, class name, full stop. */
type Tokens = readonly number[]

function learnedTokens(clip: Clip, { suffix }: OfficialCheckpoint): readonly Tokens[] | undefined {
  if (suffix === undefined) return undefined
  const { tokenizer } = clip
  return tokensOfEmbeddings(clip, suffix).map((row, c) => {
    const end = row.indexOf(tokenizer.endToken)
    const tokens = row.slice(0, end).filter((token) => token !== undefined)
    if (end < 0 || tokens.length !== end) {
      throw new CoopError(
        `the words of class ${c + 1} in the checkpoint are not words of this model`,
        'give the model that the prompt was learned with (--model)',
      )
    }
    return tokens
  })
}

/** What all classes begin with, if each has a word more than that. */
function sharedBeginning(rows: readonly Tokens[]): Tokens {
  const [first = [], ...others] = rows
  if (others.length === 0) return []
  const room = Math.min(...rows.map((row) => row.length)) - NAME_AND_STOP
  const differs = first.findIndex((token, i) => i >= room || others.some((row) => row[i] !== token))
  return first.slice(0, Math.max(0, differs))
}

const NAME_AND_STOP = 2

/** A class as the checkpoint has it: the tokens of its name with the full stop, as text and for comparison. */
interface LearnedName {
  readonly text: string
  readonly key: string
}

/** The names that are left without the first `skipped` tokens. */
function namesAfter({ tokenizer }: Clip, rows: readonly Tokens[], skipped: number): LearnedName[] {
  return rows.map((row) => {
    const tokens = row.slice(skipped)
    return { text: tokenizer.decode(tokens).replace(/\s*\.$/, ''), key: tokens.join() }
  })
}

interface Chosen {
  readonly names: readonly string[]
  readonly from: NamesFrom
  /** Tokens before each name. */
  readonly fixed: Tokens
}

/** @param contexts number of contexts, where each class has its own */
function chooseNames(
  clip: Clip,
  rows: readonly Tokens[] | undefined,
  given: readonly string[] | undefined,
  contexts: number | undefined,
): Chosen {
  // contexts of their own never begin from words
  const shared = rows === undefined || contexts !== undefined ? [] : sharedBeginning(rows)
  if (given === undefined) {
    if (rows !== undefined) return { ...readNames(clip, rows, shared), from: 'checkpoint' }
    throw new UsageError(
      'the checkpoint does not contain the names of its classes',
      'give them as classes (--classes), one per line, or data (--data) for the names of a data set',
    )
  }
  if (rows === undefined) {
    if (contexts !== undefined && contexts !== given.length) throw wrongCount(contexts, given.length)
    return { names: given, from: 'given', fixed: [] }
  }
  for (let skipped = 0; skipped <= shared.length; skipped++) {
    const names = inOrderOf(clip, namesAfter(clip, rows, skipped), given)
    if (names !== undefined) return { names, from: 'verified', fixed: shared.slice(0, skipped) }
  }
  const cut = CUTS.find((count) => inOrderOf(clip, namesAfter(clip, rows, 0), given, count) !== undefined)
  if (cut !== undefined) throw cutNames(cut)
  if (contexts === undefined) return { names: given, from: 'transferred', fixed: shared }
  if (contexts !== given.length) throw wrongCount(contexts, given.length)
  throw otherNames(clip, namesAfter(clip, rows, 0), given)
}

/** The texts of the learned names, which must be the very same words when they are encoded again. */
function readNames(clip: Clip, rows: readonly Tokens[], shared: Tokens): Pick<Chosen, 'names' | 'fixed'> {
  let wrong = { c: 0, text: '' }
  for (let skipped = shared.length; skipped >= 0; skipped--) {
    const names = namesAfter(clip, rows, skipped)
    const c = names.findIndex(({ text, key }) => text === '' || keyOf(clip, text) !== key)
    if (c < 0) return { names: names.map(({ text }) => text), fixed: shared.slice(0, skipped) }
    wrong = { c, text: names[c]?.text ?? '' }
  }
  throw new UsageError(
    `the name of class ${wrong.c + 1} cannot be read from its tokens (${JSON.stringify(wrong.text)})`,
    'give the class names as classes (--classes) or data (--data)',
  )
}

/** The given names in the order of the learned ones, where they are the same words. */
function inOrderOf(
  clip: Clip,
  learned: readonly LearnedName[],
  given: readonly string[],
  cut = 0,
): readonly string[] | undefined {
  const left = new Map<string, string[]>()
  for (const name of given) {
    const key = keyOf(clip, name, cut)
    const same = left.get(key)
    if (same === undefined) left.set(key, [name])
    else same.push(name)
  }
  const names = learned.flatMap(({ key }) => left.get(key)?.shift() ?? [])
  return names.length === learned.length && names.length === given.length ? names : undefined
}

/** @param cut tokens that are missing at the beginning */
function keyOf({ tokenizer }: Clip, name: string, cut = 0): string {
  return tokenizer
    .encode(`${name.replaceAll('_', ' ')}.`)
    .slice(cut)
    .join()
}

/** Spaces too many in CTX_INIT that are looked for. */
const CUTS = [1, 2, 3, 4]

/** The official code counts words by `split(" ")`, so a second space is a word without tokens: the context takes a name's first. */
function cutNames(cut: number): CoopError {
  return new CoopError(
    `the checkpoint lacks the first ${cut === 1 ? 'token' : `${cut} tokens`} of every class name: its first words (CTX_INIT) had ${countOf(cut, 'space')} too many, ` +
      'which the official code counts as words',
    'such prompts cannot be imported: learn again with one space between the words and none at the end',
  )
}

function wrongCount(contexts: number, names: number): CoopError {
  return new CoopError(
    `the checkpoint has contexts for ${countOf(contexts, 'class', 'classes')}, but ${countOf(names, 'class name')} ${names === 1 ? 'was' : 'were'} given`,
    'give the names of all classes that it was learned with, in the order of their labels',
  )
}

function otherNames(clip: Clip, learned: readonly LearnedName[], given: readonly string[]): CoopError {
  const known = new Set(learned.map(({ key }) => key))
  const strange = given.filter((name) => !known.has(keyOf(clip, name)))
  const keys = new Set(given.map((name) => keyOf(clip, name)))
  const lacking = learned.filter(({ key }) => !keys.has(key)).map(({ text }) => text)
  const some = (names: readonly string[]) =>
    names.slice(0, 5).join(', ') + (names.length > 5 ? `, and ${names.length - 5} more` : '')
  return new CoopError(
    `the checkpoint was learned with other classes: ${some(strange)} ${strange.length === 1 ? 'is' : 'are'} not among them, ` +
      `${some(lacking)} ${lacking.length === 1 ? 'is' : 'are'} missing`,
    'class-specific contexts fit these classes only: leave the names out, or correct them',
  )
}
