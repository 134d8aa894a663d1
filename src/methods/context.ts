import type { Clip } from '../clip/types.ts'
import { CoopError } from '../errors.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { promptClassifier } from '../prompt/classifier.ts'
import { startTokens } from '../prompt/context-start.ts'
import type { PromptShape } from '../prompt/layout.ts'
import { learnedPrompt } from '../prompt/learned-prompt.ts'
import type { Classes, ImageClassifier, Learned } from './method.ts'

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
export const USUAL_START = 'a photo of a'

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
