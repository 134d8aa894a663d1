import { randomFor } from '../src/base/random.ts'
import type { Clip } from '../src/clip/types.ts'
import { type FloatTensor, floatTensor, intTensor, type Tensor } from '../src/graph/tensor.ts'
import { randomContext } from '../src/prompt/context-start.ts'
import { type PromptLayout, promptLayout } from '../src/prompt/layout.ts'
import { contextShape } from '../src/prompt/prompted-tower.ts'
import { classNames } from './class-names.ts'
import { benchClip } from './text-model.ts'

export const M = 16
export const BATCH = 32

let model: Promise<Clip> | undefined

/** The CLIP of all measurements of training steps, made once. */
export function stepClip(): Promise<Clip> {
  model ??= benchClip()
  return model
}

export const layoutFor = (clip: Clip, classes: number): PromptLayout =>
  promptLayout(clip.tokenizer, classNames(classes), { M, position: 'end', classSpecific: false })

/** What a training step is fed: a random context, images of random features, random labels. */
export function feedsFor(clip: Clip, layout: PromptLayout): Record<string, Tensor> {
  const { normal, int } = randomFor('bench', 1)
  return {
    ctx: randomContext(contextShape(clip, layout), 1),
    features: floatTensor(
      [BATCH, clip.config.embedDim],
      Float32Array.from({ length: BATCH * clip.config.embedDim }, normal),
    ),
    labels: intTensor(
      [BATCH],
      Array.from({ length: BATCH }, () => int(layout.classes)),
    ),
  }
}

/** Largest difference of two tensors relative to the largest entry of the second; throws when it is above the bound. */
export function expectEqual(what: string, a: FloatTensor, b: FloatTensor, bound: number): number {
  if (a.data.length !== b.data.length) throw new Error(`${what}: not the same shape`)
  let largest = 0
  let difference = 0
  for (const [i, y] of b.data.entries()) {
    largest = Math.max(largest, Math.abs(y))
    difference = Math.max(difference, Math.abs((a.data[i] ?? Number.NaN) - y))
  }
  const error = difference / largest
  if (!(error <= bound)) throw new Error(`${what}: differs by ${error} of its largest entry, bound ${bound}`)
  return error
}
