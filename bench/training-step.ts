import { z } from 'zod'
import { randomFor } from '../src/base/random.ts'
import type { Clip } from '../src/clip/types.ts'
import { type FloatTensor, floatTensor, intTensor, type Tensor } from '../src/graph/tensor.ts'
import type { TrainingStep } from '../src/learning/loop.ts'
import { contextStep } from '../src/methods/context-step.ts'
import { type CoopStep, coopLoss, coopStep } from '../src/methods/coop/program.ts'
import { randomContext } from '../src/prompt/context-start.ts'
import { type Position, type PromptLayout, promptLayout } from '../src/prompt/layout.ts'
import { contextShape } from '../src/prompt/prompted-tower.ts'
import { classNames } from './class-names.ts'
import { paddedTrainingProgram } from './padded-step.ts'
import { benchClip } from './text-model.ts'

export const M = 16
export const BATCH = 32

let model: Promise<Clip> | undefined

/** The CLIP of all measurements of training steps, made once. */
export function stepClip(): Promise<Clip> {
  model ??= benchClip()
  return model
}

/** Of what a step is measured. */
export interface StepForm {
  readonly classes: number
  readonly position: Position
  readonly classSpecific: boolean
  /** Prompts padded to 77 tokens. */
  readonly padded: boolean
}

export const plainForm = (classes: number): StepForm => ({
  classes,
  position: 'end',
  classSpecific: false,
  padded: false,
})

export const layoutFor = (clip: Clip, { classes, position, classSpecific }: Omit<StepForm, 'padded'>): PromptLayout =>
  promptLayout(clip.tokenizer, classNames(classes), { M, position, classSpecific })

export const stepProgram = (clip: Clip, layout: PromptLayout, padded: boolean): CoopStep =>
  padded ? paddedTrainingProgram(clip, layout, BATCH) : coopStep(clip, layout, BATCH)

/** As CoOp has it: one program, or of many classes blocks of them. */
export const trainingStep = (clip: Clip, layout: PromptLayout, padded: boolean): TrainingStep =>
  padded ? stepProgram(clip, layout, padded) : contextStep(clip, layout, coopLoss(clip, BATCH))

/** What step-process.ts is told. */
export interface StepTask extends StepForm {
  readonly rounds: number
  readonly threads: number
  /** Whether its bare products run beside it. */
  readonly products: boolean
}

/** What it answers; times in ms, memory in MB. */
export const stepAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('too large'), why: z.string() }),
  z.object({
    kind: z.literal('measured'),
    rows: z.number(),
    /** Of its bare products. */
    flops: z.number(),
    /** Most that the process had held after two steps. */
    memory: z.number(),
    build: z.number(),
    session: z.number(),
    step: z.array(z.number()),
    products: z.array(z.number()),
  }),
])
export type StepAnswer = z.output<typeof stepAnswer>

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
