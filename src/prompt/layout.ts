import { anObject, aTokenizer, checkArguments, someTexts } from '../base/arguments.ts'
import { countOf } from '../base/count.ts'
import { CoopError, UsageError } from '../base/errors.ts'
import { encodePlain, type Tokenizer } from '../clip/tokenizer/tokenizer.ts'
import { type Packing, pack } from '../clip/towers/packing.ts'

/** Where the class name stands among the context vectors. */
export const POSITIONS = ['end', 'middle', 'front'] as const
/** Where the class name stands among the context vectors. */
export type Position = (typeof POSITIONS)[number]

/** The form of a prompt. */
export interface PromptShape {
  /** Number of context vectors. */
  readonly M: number
  readonly position: Position
  /** A separate context for each class, instead of one for all. */
  readonly classSpecific: boolean
  /**
   * Ids of tokens that stay before the class name. The official code takes as many tokens of its first words for context
   * as there are words; where a word has several tokens, the rest of them are these.
   */
  readonly fixed?: readonly number[]
}

/**
 * The prompts of all classes as sequences of slots: slots below `contextRows` are context vectors, slot
 * `contextRows + i` is the token `tokens[i]`.
 */
export interface PromptLayout extends PromptShape {
  readonly classes: number
  /** M, or classes M where each class has its own context. */
  readonly contextRows: number
  readonly tokens: readonly number[]
  readonly sequences: readonly (readonly number[])[]
  readonly packing: Packing
}

interface Parts {
  readonly context: readonly number[]
  readonly name: readonly number[]
  /** The full stop. */
  readonly stop: readonly number[]
}

/** What stands between start and end token. In the middle the smaller half of an odd context comes first. */
const ARRANGEMENTS: Record<Position, (parts: Parts) => readonly number[]> = {
  end: ({ context, name, stop }) => [...context, ...name, ...stop],
  middle: ({ context, name, stop }) => {
    const half = Math.floor(context.length / 2)
    return [...context.slice(0, half), ...name, ...context.slice(half), ...stop]
  },
  front: ({ context, name, stop }) => [...name, ...context, ...stop],
}

/**
 * Lays out the prompts of the official code: a class name, its `_` as spaces, is tokenised together with the full stop
 * that follows it; the name's part is as long as the name alone, and begins with the fixed tokens, if there are some.
 *
 * @throws UsageError when M is not a whole number above 0
 * @throws CoopError when a name has no words or the prompt does not fit the text tower
 */
export function promptLayout(tokenizer: Tokenizer, classNames: readonly string[], shape: PromptShape): PromptLayout {
  checkArguments(
    'promptLayout',
    { tokenizer, classNames, shape },
    { tokenizer: aTokenizer, classNames: someTexts, shape: anObject },
  )
  const { M, position, classSpecific, fixed = [] } = shape
  if (!Number.isInteger(M) || M < 1)
    throw new UsageError(`the number of context vectors must be a whole number above 0, not ${M}`)
  const contextRows = classSpecific ? classNames.length * M : M
  const slotOf = new Map<number, number>()
  const slot = (token: number) => {
    const known = slotOf.get(token) ?? contextRows + slotOf.size
    slotOf.set(token, known)
    return known
  }
  const sequences = classNames.map((className, c) => {
    const { name, stop } = tokensOf(tokenizer, className, M, fixed)
    const first = classSpecific ? c * M : 0
    const context = Array.from({ length: M }, (_, i) => first + i)
    const between = ARRANGEMENTS[position]({ context, name: name.map(slot), stop: stop.map(slot) })
    return [slot(tokenizer.startToken), ...between, slot(tokenizer.endToken)]
  })
  return {
    ...shape,
    classes: classNames.length,
    contextRows,
    tokens: [...slotOf.keys()],
    sequences,
    packing: pack(sequences),
  }
}

/**
 * The same prompts once for each of several images, each image with its own context: context rows and sequences of
 * the first image, then of the second, and so on. An image's prompts share their beginning as those of `layout` do.
 */
export function layoutForImages(layout: PromptLayout, images: number): PromptLayout {
  const { contextRows } = layout
  const slotOf = (slot: number, image: number) => (slot < contextRows ? image : images - 1) * contextRows + slot
  const sequences = Array.from({ length: images }, (_, image) =>
    layout.sequences.map((sequence) => sequence.map((slot) => slotOf(slot, image))),
  ).flat()
  return { ...layout, contextRows: images * contextRows, sequences, packing: pack(sequences, true, images) }
}

/**
 * Throws CoopError for a name without words, and for two different names that the tokenizer makes the same. Classes of
 * the very same name pass: ImageNet has two "missile" and two "sunglasses", whose prompts are then equal.
 */
export function checkClassNames(tokenizer: Tokenizer, classNames: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const name of classNames) {
    const tokens = nameTokens(tokenizer, name).join()
    const earlier = seen.get(tokens)
    if (earlier !== undefined && earlier !== name) {
      throw new CoopError(
        `duplicate class names: ${JSON.stringify(earlier)} and ${JSON.stringify(name)} are the same words`,
        'rename one of the classes, or merge them',
      )
    }
    seen.set(tokens, name)
  }
}

function nameTokens(tokenizer: Tokenizer, className: string): number[] {
  const tokens = encodePlain(tokenizer, className.replaceAll('_', ' '))
  if (tokens.length > 0) return tokens
  throw new CoopError(
    `the class name ${JSON.stringify(className)} has no words`,
    'give the class a name that contains words',
  )
}

/** Start and end token. */
const ENDS = 2

function tokensOf(tokenizer: Tokenizer, className: string, M: number, fixed: readonly number[]) {
  const nameLength = nameTokens(tokenizer, className).length
  const tokens = [...fixed, ...tokenizer.encode(`${className.replaceAll('_', ' ')}.`)]
  const length = tokens.length + M + ENDS
  const { contextLength } = tokenizer
  if (length > contextLength) {
    const most = contextLength - ENDS - tokens.length
    throw new CoopError(
      `the class name ${JSON.stringify(className)} is too long: its ${tokens.length} tokens (with the full stop), ` +
        `${countOf(M, 'context vector')}, start and end make ${length}, but the text tower takes ${contextLength}`,
      most > 0 ? `shorten the name, or use at most ${countOf(most, 'context vector')}` : 'shorten the name',
    )
  }
  return { name: tokens.slice(0, nameLength), stop: tokens.slice(nameLength) }
}
