import type { Clip } from '../clip/types.ts'
import { type Classifier, classifierOf } from '../learning/classifier.ts'
import type { Runtime } from '../runtime/types.ts'
import { promptLayout } from './layout.ts'
import { checkFits, type LearnedPrompt } from './learned-prompt.ts'
import { classFeaturesProgram } from './prompted-tower.ts'

/** The classifier of a learned prompt: its text features are computed once. Throws CoopError when the model is another. */
export async function promptClassifier(clip: Clip, runtime: Runtime, prompt: LearnedPrompt): Promise<Classifier> {
  checkFits(prompt, clip)
  const layout = promptLayout(clip.tokenizer, prompt.classNames, prompt)
  const session = await runtime.load(classFeaturesProgram(clip, layout))
  try {
    const { features } = await session.run({ ctx: prompt.ctx })
    if (features === undefined) throw new Error('the program has an output "features"')
    return classifierOf(clip, prompt.classNames, features)
  } finally {
    await session.dispose()
  }
}
