import { z } from 'zod'
import { aClip, anObject, aRuntime, checkArguments, texts as listOfTexts, someTexts } from '../../base/arguments.ts'
import { breathing, mapBreathing } from '../../base/breathe.ts'
import { CoopError, UsageError } from '../../base/errors.ts'
import { encodeTexts } from '../../clip/encode.ts'
import type { Tokenizer } from '../../clip/tokenizer/tokenizer.ts'
import type { Clip } from '../../clip/types.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { type ImageClassifier, textClassifier } from '../../learning/classifier.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { checkClassNames } from '../../prompt/layout.ts'
import type { Runtime } from '../../runtime/types.ts'
import type { Classes } from '../method.ts'
import { descriptionsOf } from './descriptions.ts'
import { expandTemplates, isByClass, type Templates } from './templates.ts'

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
 * again (one template: its normalised features). Ensembles may be named (see ENSEMBLES), and classes have templates of
 * their own. Throws CoopError for class names that are the same or have no words, and for a prompt longer than the model
 * takes; UsageError for a class that has no template.
 */
export async function zeroShotFeatures(classes: Classes): Promise<FloatTensor> {
  const { sums } = await promptSums('zeroShotFeatures', classes, normaliseRows)
  return normaliseRows(sums) // the mean has the direction of the sum
}

/** The mean of the features of each class's prompts as the text tower gives them, `(classes, embed)`, of any length. Throws likewise. */
export async function meanTextFeatures(classes: Classes): Promise<FloatTensor> {
  const { sums, counts } = await promptSums('meanTextFeatures', classes, (features) => features)
  const { embedDim } = classes.clip.config
  const means = sums.data.map((sum, k) => sum / (counts[Math.floor(k / embedDim)] ?? 1))
  return { ...sums, data: means }
}

/** `(classes, embed)`: the sum over the prompts of each class of what `each` makes of their features; and how many there are. */
async function promptSums(caller: string, classes: Classes, each: (features: FloatTensor) => FloatTensor) {
  checkArguments(caller, { classes }, { classes: anObject })
  checkArguments(caller, { ...classes }, { clip: aClip, runtime: aRuntime, classNames: someTexts, templates: prompts })
  const { clip, runtime, classNames, templates } = classes
  checkClassNames(clip.tokenizer, classNames)
  const byClass = promptsOf(classNames, templates)
  const counts = byClass.map(({ length }) => length)
  const key = JSON.stringify([caller, byClass])
  const known = latest.get(runtime)
  if (known?.clip === clip && known.key === key) return { sums: await known.sums, counts }
  const sums = sumsOf(clip, runtime, byClass, each)
  latest.set(runtime, { clip, key, sums })
  sums.catch(() => latest.delete(runtime))
  return { sums: await sums, counts }
}

/** What a runtime computed last: a run asks several times for the features of its prompts. */
const latest = new WeakMap<
  Runtime,
  { readonly clip: Clip; readonly key: string; readonly sums: Promise<FloatTensor> }
>()

async function sumsOf(
  clip: Clip,
  runtime: Runtime,
  byClass: readonly (readonly string[])[],
  each: (features: FloatTensor) => FloatTensor,
): Promise<FloatTensor> {
  const texts = byClass.flat()
  await mapBreathing(texts, (text) => checkLength(clip.tokenizer, text))
  const { data } = each(await encodeTexts(clip, runtime, texts))
  const embed = clip.config.embedDim
  const sums = floatTensor([byClass.length, embed])
  const classOf = byClass.flatMap((prompts, c) => prompts.map(() => c))
  await breathing(texts.length, (row) => {
    const to = (classOf[row] ?? 0) * embed
    for (let j = 0; j < embed; j++) sums.data[to + j]! += data[row * embed + j]!
  })
  return sums
}

const prompts = z.union([listOfTexts, z.record(z.string(), someTexts)], {
  error: 'a list of texts, or one for each class by its name',
})

/** The prompts of each class. */
function promptsOf(classNames: readonly string[], templates: Templates): string[][] {
  if (isByClass(templates)) {
    const named = (text: string, name: string) => (text.includes('{}') ? fillTemplate(text, name) : text)
    return descriptionsOf(classNames, templates).map((texts, c) =>
      texts.map((text) => named(text, classNames[c] ?? '')),
    )
  }
  if (templates.length === 0) throw new UsageError('no prompt given', 'give at least one like "a photo of a {}."')
  const all = expandTemplates(templates)
  return classNames.map((name) => all.map((template) => fillTemplate(template, name)))
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
