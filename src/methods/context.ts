import { z } from 'zod'
import { CoopError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { startTokens } from '../prompt/context-start.ts'
import { type PromptLayout, type PromptShape, promptLayout } from '../prompt/layout.ts'
import { learnedPrompt } from '../prompt/learned-prompt.ts'
import { promptClassifier } from '../prompt/prompt-classifier.ts'
import { type LearningSettings, startOf } from '../prompt/train.ts'
import type { Classes, ImageClassifier, Learned, Task } from './method.ts'

/** Number of context vectors: as many as the words to start from have tokens, else as many as asked for. */
export function contextLength(clip: Clip, { M, init }: { readonly M: number; readonly init: string | null }): number {
  return init === null ? M : startTokens(clip, init).length
}

/** What a title says of a context, unless it is the usual one: from "a photo of a", the class name at the end. */
export function contextWords(shape: Pick<PromptShape, 'M' | 'position'> & { readonly init: string | null }): string[] {
  const { M, position, init } = shape
  const start = init === null ? [`M=${M}`] : init === USUAL_START ? [] : [`from "${init}"`]
  return [...(position === 'end' ? [] : [position]), ...start]
}

/** The words that methods with a short context start from. */
const USUAL_START = 'a photo of a'

/** The settings of a method that learns one context for all classes. */
export const sharedContextSettings = {
  /** Context vectors; with `init` as many as it has tokens. */
  M: z.int().min(1).default(4),
  position: z.enum(['end', 'middle', 'front']).default('end'),
  /** Words to start from; null: random vectors. */
  init: z.string().min(1).nullable().default(USUAL_START),
}

/** What learning of a shared context goes by: its settings in full, where it starts, the layout of the prompts. */
export function sharedContext(
  task: Pick<Task, 'clip' | 'classNames' | 'seed'>,
  settings: Omit<LearningSettings, 'classSpecific' | 'seed'>,
): { readonly ctx: FloatTensor; readonly layout: PromptLayout } {
  const { clip, classNames, seed } = task
  const complete = { ...settings, M: contextLength(clip, settings), classSpecific: false, seed }
  const { ctx } = startOf({ clip, classNames, settings: complete })
  return { ctx, layout: promptLayout(clip.tokenizer, classNames, complete) }
}

/** A tensor of what was learned. Throws CoopError when it is not there. */
export function tensorOf({ tensors }: Learned, name: string): FloatTensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new CoopError(`what was learned has no tensor "${name}"`)
  return tensor
}

/** The classifier of learned context vectors `ctx`, the same for all images. */
export async function contextClassifier(
  { clip, runtime, classNames }: Classes,
  shape: Pick<PromptShape, 'position' | 'classSpecific'>,
  learned: Learned,
): Promise<ImageClassifier> {
  const ctx = tensorOf(learned, 'ctx')
  const M = ctx.shape.at(-2) ?? 0
  const classifier = await promptClassifier(clip, runtime, learnedPrompt(clip, classNames, { ...shape, M }, ctx))
  return { classNames, logits: async (features) => classifier.logits(features) }
}
