import { aClip, aRuntime, checkArguments } from '../base/arguments.ts'
import type { Clip } from '../clip/types.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { type ImageClassifier, textClassifier } from '../learning/classifier.ts'
import type { Runtime } from '../runtime/types.ts'
import { classBlocks, MAX_ROWS } from './class-blocks.ts'
import { promptLayout } from './layout.ts'
import { aPrompt, checkFits, type LearnedPrompt } from './learned-prompt.ts'
import { classFeaturesProgram } from './prompted-tower.ts'

/** Text features `(classes, embed)`, of length 1, of a learned prompt. Throws CoopError when the model is another. */
export async function promptFeatures(clip: Clip, runtime: Runtime, prompt: LearnedPrompt): Promise<FloatTensor> {
  checkArguments('promptFeatures', { clip, runtime, prompt }, { clip: aClip, runtime: aRuntime, prompt: aPrompt })
  checkFits(prompt, clip)
  const layout = promptLayout(clip.tokenizer, prompt.classNames, prompt)
  if (layout.packing.slots.length > MAX_FORWARD_ROWS) {
    const blocks = classBlocks(clip, layout, runtime, MAX_FORWARD_ROWS)
    try {
      return await blocks.features(prompt.ctx)
    } finally {
      await blocks.dispose()
    }
  }
  const session = await runtime.load(classFeaturesProgram(clip, layout), { once: true })
  try {
    const { features } = await session.run({ ctx: prompt.ctx })
    return features
  } finally {
    await session.dispose()
  }
}

/** Without a gradient nothing is kept from layer to layer. */
const MAX_FORWARD_ROWS = 4 * MAX_ROWS

/** The classifier of a learned prompt: its text features are computed once. Throws as promptFeatures and textClassifier do. */
export async function promptClassifier(clip: Clip, runtime: Runtime, prompt: LearnedPrompt): Promise<ImageClassifier> {
  const features = await promptFeatures(clip, runtime, prompt)
  return textClassifier({ clip, runtime, classNames: prompt.classNames }, features)
}
