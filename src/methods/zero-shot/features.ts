import { aClip, anObject, aRuntime, checkArguments, texts as listOfTexts, someTexts } from '../../base/arguments.ts'
import { breathing, mapBreathing } from '../../base/breathe.ts'
import { CoopError, UsageError } from '../../base/errors.ts'
import { encodeTexts } from '../../clip/encode.ts'
import type { Tokenizer } from '../../clip/tokenizer/tokenizer.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { type ImageClassifier, textClassifier } from '../../learning/classifier.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { checkClassNames } from '../../prompt/layout.ts'
import type { Classes } from '../method.ts'
import { expandTemplates } from './templates.ts'

/**
 * The prompt of a class: the template with each `{}` replaced by the name, whose `_` become spaces.
 * Throws UsageError for a template without `{}`.
 */
export function fillTemplate(template: string, className: string): string {
  if (typeof template !== 'string' || typeof className !== 'string') {
    throw new UsageError('fillTemplate takes a prompt and a class name, both text')
  }
  if (!template.includes('{}')) {
    throw new UsageError(
      `the prompt ${JSON.stringify(template)} has no {} where the class name goes`,
      'write it like "a photo of a {}."',
    )
  }
  return template.replaceAll('{}', () => className.replaceAll('_', ' '))
}

/**
 * Text features of classes, `(classes, embed)` of length 1: the mean of the templates' normalised features, normalised
 * again (one template: its normalised features). Ensembles may be named (see ENSEMBLES). Throws CoopError for class names
 * that are the same or have no words, and for a prompt longer than the model takes.
 */
export async function zeroShotFeatures(classes: Classes): Promise<FloatTensor> {
  return normaliseRows(await classMeans(classes, normaliseRows))
}

/** The mean of the templates' features, as the text tower gives them, `(classes, embed)` of any length. Throws likewise. */
export function rawTextFeatures(classes: Classes): Promise<FloatTensor> {
  return classMeans(classes, (each) => each)
}

/** For each class the mean of what `rowsOf` makes of the features of its prompts. */
async function classMeans(classes: Classes, rowsOf: (each: FloatTensor) => FloatTensor): Promise<FloatTensor> {
  checkArguments('zeroShotFeatures', { classes }, { classes: anObject })
  checkArguments(
    'zeroShotFeatures',
    { ...classes },
    { clip: aClip, runtime: aRuntime, classNames: someTexts, templates: listOfTexts },
  )
  const { clip, runtime, classNames, templates } = classes
  if (templates.length === 0) throw new UsageError('no prompt given', 'give at least one like "a photo of a {}."')
  checkClassNames(clip.tokenizer, classNames)
  const prompts = expandTemplates(templates)
  const texts = classNames.flatMap((name) => prompts.map((template) => fillTemplate(template, name)))
  await mapBreathing(texts, (text) => checkLength(clip.tokenizer, text))
  const { data } = rowsOf(await encodeTexts(clip, runtime, texts))
  const embed = clip.config.embedDim
  const means = floatTensor([classNames.length, embed])
  await breathing(texts.length, (row) => {
    const c = Math.floor(row / prompts.length)
    for (let j = 0; j < embed; j++) means.data[c * embed + j]! += data[row * embed + j]! / prompts.length
  })
  return means
}

function checkLength({ encode, contextLength }: Tokenizer, text: string): void {
  const length = encode(text).length + 2 // start and end token
  if (length <= contextLength) return
  throw new CoopError(
    `the prompt ${JSON.stringify(text)} is too long: ${length} tokens with start and end, but the text tower takes ${contextLength}`,
    'shorten the class name or the prompt',
  )
}

/** A classifier by hand-written prompts, nothing learned. Throws as zeroShotFeatures does. */
export async function zeroShotClassifier(classes: Classes): Promise<ImageClassifier> {
  return textClassifier(classes, await zeroShotFeatures(classes))
}
