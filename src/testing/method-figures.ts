import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { z } from 'zod'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor, intTensor } from '../graph/index.ts'
import { loadStep, type TrainingStep } from '../learning/loop.ts'
import { folderModelFiles } from '../node/files.ts'
import { POSITIONS } from '../prompt/layout.ts'
import type { Runtime } from '../runtime/types.ts'
import { distance } from './distance.ts'
import { tinyClip, tinyConfig } from './tiny-clip.ts'

// Figures of methods that learn by gradients, computed by PyTorch in float64 with prompts padded to the context length.

const tensors = z.record(z.string(), z.object({ shape: z.array(z.int()), data: z.array(z.number()) }))
const about = z.looseObject({
  model: z.enum(['tiny', 'vit', 'rn']),
  position: z.enum(POSITIONS),
  M: z.int(),
  templates: z.array(z.string()).default([]),
  weight: z.number().default(0),
  temperature: z.number().default(1),
  classSpecific: z.boolean().default(false),
  tensors,
  features: z.array(z.number()),
  labels: z.array(z.int()),
})
const figures = z.object({
  classNames: z.array(z.string()),
  /** One step. */
  cases: z.array(
    about.extend({
      batch: z.int(),
      loss: z.number(),
      logits: z.array(z.number()),
      gradients: z.record(z.string(), z.array(z.number())),
      /** Other outputs. */
      others: z.record(z.string(), z.array(z.number())).default({}),
    }),
  ),
  /** A short training with images first to last. */
  runs: z.array(
    about.extend({
      batchSize: z.int(),
      epochs: z.int(),
      learningRate: z.number(),
      losses: z.array(z.number()),
      end: tensors,
    }),
  ),
})
export type Figures = z.output<typeof figures>
type Tensors = z.output<typeof tensors>

export function readFigures(url: URL): Figures {
  return figures.parse(JSON.parse(readFileSync(url, 'utf8')))
}

const golden = fileURLToPath(new URL('../../../shared/golden', import.meta.url))
export const hasGoldenModels = existsSync(golden)

type Model = 'tiny' | 'vit' | 'rn'
const models = new Map<Model, Promise<Clip>>()

/** The model that figures were computed on, opened once. */
export function figuresClip(model: Model): Promise<Clip> {
  const open = () =>
    model === 'tiny'
      ? tinyClip({ ...tinyConfig({ heads: 3 }), embedDim: 40 }, 5)
      : loadClip(folderModelFiles(`${golden}/${model}`))
  const clip = models.get(model) ?? open()
  models.set(model, clip)
  return clip
}

export const tensorsOf = (from: Tensors): Map<string, FloatTensor> =>
  new Map(Object.entries(from).map(([name, { shape, data }]) => [name, floatTensor(shape, Float32Array.from(data))]))

/** Runs one step and compares loss, logits, all gradients and other outputs. */
export async function expectStep(
  runtime: Runtime,
  step: TrainingStep,
  figures: Figures['cases'][number],
): Promise<void> {
  const { batch, features, labels } = figures
  const session = await loadStep(runtime, step)
  try {
    const outputs = await session.run({
      ...Object.fromEntries(tensorsOf(figures.tensors)),
      features: floatTensor([batch, features.length / batch], Float32Array.from(features)),
      labels: intTensor([batch], labels),
    })
    expect(distance(outputs.loss?.data ?? [], [figures.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], figures.logits)).toBeLessThan(1e-5)
    const gradients = Object.entries(figures.gradients).map(([name, values]) => [`gradient.${name}`, values] as const)
    for (const [name, values] of [...gradients, ...Object.entries(figures.others)]) {
      expect(distance(outputs[name]?.data ?? [], values), name).toBeLessThan(1e-4)
    }
  } finally {
    await session.dispose()
  }
}

/** The images of a figure as a training set, one view each. */
export function figuresSet({ features, labels }: Pick<Figures['runs'][number], 'features' | 'labels'>) {
  const embed = features.length / labels.length
  return { features: floatTensor([labels.length, 1, embed], Float32Array.from(features)), labels }
}
