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
 * from it or compared with those that are given.
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
  const learned = learnedNames(clip, checkpoint)
  const { names, from } = chooseNames(clip, learned, classNames, classSpecific ? ctx.shape[0] : undefined)
  return { prompt: learnedPrompt(clip.fingerprint, names, { M, position, classSpecific }, ctx), names: from }
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

/** A class as the checkpoint has it: the tokens of its name with the full stop, as text and for comparison. */
interface LearnedName {
  readonly text: string
  readonly key: string
}

function learnedNames(clip: Clip, { suffix }: OfficialCheckpoint): readonly LearnedName[] | undefined {
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
    return { text: tokenizer.decode(tokens).replace(/\s*\.$/, ''), key: tokens.join() }
  })
}

interface Chosen {
  readonly names: readonly string[]
  readonly from: NamesFrom
}

/** @param contexts number of contexts, where each class has its own */
function chooseNames(
  clip: Clip,
  learned: readonly LearnedName[] | undefined,
  given: readonly string[] | undefined,
  contexts: number | undefined,
): Chosen {
  if (given === undefined) {
    if (learned !== undefined) return { names: readNames(clip, learned), from: 'checkpoint' }
    throw new UsageError(
      'the checkpoint does not contain the names of its classes',
      'give them (--classes FILE, one per line, or --data for the names of a data set)',
    )
  }
  if (learned === undefined) {
    if (contexts !== undefined && contexts !== given.length) throw wrongCount(contexts, given.length)
    return { names: given, from: 'given' }
  }
  const ordered = inOrderOf(clip, learned, given)
  if (ordered !== undefined) return { names: ordered, from: 'verified' }
  if (contexts === undefined) return { names: given, from: 'transferred' }
  if (contexts !== given.length) throw wrongCount(contexts, given.length)
  throw otherNames(clip, learned, given)
}

/** The texts of the learned names, which must be the very same words when they are encoded again. */
function readNames(clip: Clip, learned: readonly LearnedName[]): readonly string[] {
  return learned.map(({ text, key }, c) => {
    if (keyOf(clip, text) === key) return text
    throw new UsageError(
      `the name of class ${c + 1} cannot be read from its tokens (${JSON.stringify(text)})`,
      'give the class names (--classes FILE, or --data)',
    )
  })
}

/** The given names in the order of the learned ones, where they are the same words. */
function inOrderOf(
  clip: Clip,
  learned: readonly LearnedName[],
  given: readonly string[],
): readonly string[] | undefined {
  const left = new Map<string, string[]>()
  for (const name of given) {
    const key = keyOf(clip, name)
    const same = left.get(key)
    if (same === undefined) left.set(key, [name])
    else same.push(name)
  }
  const names = learned.flatMap(({ key }) => left.get(key)?.shift() ?? [])
  return names.length === learned.length && names.length === given.length ? names : undefined
}

function keyOf({ tokenizer }: Clip, name: string): string {
  return tokenizer.encode(`${name.replaceAll('_', ' ')}.`).join()
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
