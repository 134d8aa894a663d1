import { z } from 'zod'
import { CoopError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import type { ImageClassifier } from '../learning/classifier.ts'
import { checkClassCount } from '../learning/labelled-rows.ts'
import { randomContext, startTokens, wordContext } from '../prompt/context-start.ts'
import { checkClassNames, POSITIONS, type PromptLayout, type PromptShape, promptLayout } from '../prompt/layout.ts'
import { learnedPrompt } from '../prompt/learned-prompt.ts'
import { promptClassifier } from '../prompt/prompt-classifier.ts'
import { contextShape } from '../prompt/prompted-tower.ts'
import type { Classes, Learned, Task } from './method.ts'
import { MAX_CONTEXT, wholeNumber } from './numbers.ts'

/** A prompt to learn and what it starts from. */
export interface ContextSettings extends PromptShape {
  /** Words whose embeddings the context starts from (M is then the number of their tokens); null: random vectors. */
  readonly init: string | null
  /** Whether fewer words than M have zeros before them, instead of making M smaller. */
  readonly padded?: boolean
}

/** Number of context vectors: as many as the words to start from have tokens (or M, padded), else as many as asked for. */
export function contextLength(clip: Clip, { M, init, padded }: Pick<ContextSettings, 'M' | 'init' | 'padded'>): number {
  return init === null ? M : Math.max(startTokens(clip, init).length, padded ? M : 0)
}

/**
 * The layout of the prompts of a task, and the context vectors that learning starts from: random by the seed, or the
 * embeddings of words.
 *
 * @throws UsageError or CoopError where settings, class names and model do not fit
 */
export function contextOf(
  { clip, classNames, seed }: Pick<Task, 'clip' | 'classNames' | 'seed'>,
  settings: ContextSettings,
): { readonly ctx: FloatTensor; readonly layout: PromptLayout } {
  const { init, classSpecific, position, fixed } = settings
  checkClassCount(classNames)
  checkClassNames(clip.tokenizer, classNames)
  const M = contextLength(clip, settings)
  const layout = promptLayout(clip.tokenizer, classNames, { M, position, classSpecific, fixed })
  const ctx =
    init === null
      ? randomContext(contextShape(clip, layout), seed)
      : wordContext(clip, init, M, classSpecific ? classNames.length : undefined)
  return { ctx, layout }
}

/** What a title says of a context, unless it is the usual one: from "a photo of a", the class name at the end. */
export function contextWords({ M, position, init }: Pick<ContextSettings, 'M' | 'position' | 'init'>): string[] {
  const start = init === null ? [`M=${M}`] : init === USUAL_START ? [] : [`from "${init}"`]
  return [...(position === 'end' ? [] : [position]), ...start]
}

/** The words that methods with a short context start from. */
export const USUAL_START = 'a photo of a'

/** The settings of a method that learns one context for all classes. */
export const sharedContextSettings = {
  /** Context vectors; with `init` as many as it has tokens. */
  M: wholeNumber(1, MAX_CONTEXT).default(4),
  position: z.enum(POSITIONS).default('end'),
  /** Words to start from; null: random vectors. */
  init: z.string().min(1).nullable().default(USUAL_START),
}

/** The classifier of learned context vectors `ctx`, the same for all images. */
export async function contextClassifier(
  { clip, runtime, classNames }: Classes,
  shape: Omit<PromptShape, 'M'>,
  { tensors }: Pick<Learned, 'tensors'>,
): Promise<ImageClassifier> {
  const ctx = tensors.get('ctx')
  if (ctx === undefined) throw new CoopError('what was learned has no tensor "ctx"')
  const M = ctx.shape.at(-2) ?? 0
  return promptClassifier(clip, runtime, learnedPrompt(clip.fingerprint, classNames, { ...shape, M }, ctx))
}
