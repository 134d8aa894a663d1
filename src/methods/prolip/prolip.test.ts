import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ShapeError, UsageError } from '../../base/errors.ts'
import { imageEncoder } from '../../clip/encode.ts'
import { makeClip } from '../../clip/load.ts'
import { projectionName, trunkWidth } from '../../clip/towers/image-tower.ts'
import type { Clip, ClipConfig } from '../../clip/types.ts'
import { type FloatTensor, floatTensor, intTensor } from '../../graph/tensor.ts'
import { inOrder, type TrainingSet } from '../../learning/batches.ts'
import { distance } from '../../testing/distance.ts'
import { randomTensor, engine as runtime } from '../../testing/engine.ts'
import { tinyClip, tinyConfig, tinyResNetConfig } from '../../testing/tiny-clip.ts'
import { toyClasses } from '../../testing/toy-task.ts'
import { learnFewShot } from '../learn-few-shot.ts'
import { zeroShotClassifier } from '../zero-shot/features.ts'
import { prolip } from './index.ts'
import { prolipStep } from './program.ts'
import { trainProlip } from './train.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64, on random trunk features, projections and text features: as a ViT has them, and a ResNet. */
const figures = z
  .array(
    z.object({
      kind: z.enum(['vit', 'resnet']),
      trunk: z.int(),
      embed: z.int(),
      views: z.int(),
      features: numbers,
      labels: numbers,
      start: numbers,
      bias: numbers,
      text: numbers,
      scale: z.number(),
      lambda: z.number(),
      step: z.object({ projection: numbers, loss: z.number(), logits: numbers, gradient: numbers }),
      run: z.object({ epochs: z.int(), learningRate: z.number(), losses: numbers, end: numbers }),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('fixtures/prolip.json', import.meta.url), 'utf8')))
type Figures = (typeof figures)[number]

const tensor = (shape: readonly number[], values: readonly number[]) => floatTensor(shape, Float32Array.from(values))

/** A tiny CLIP with a figure's last projection. */
async function clipOf({ kind, trunk, embed, start, bias, scale }: Figures): Promise<Clip> {
  const config: ClipConfig =
    kind === 'vit'
      ? { ...tinyConfig({}, { width: trunk }), embedDim: embed }
      : {
          ...tinyResNetConfig(),
          embedDim: embed,
          vision: { kind, imageSize: 64, width: trunk / 32, layers: [1, 1, 1, 1], heads: 2 },
        }
  const { weights, tokenizer } = await tinyClip(config)
  const name = projectionName(config)
  const own: [string, FloatTensor][] = [
    [name, tensor(weights.get(name)?.shape ?? [], start)],
    ['logit_scale', tensor([], [Math.log(scale)])],
  ]
  if (kind === 'resnet') own.push(['visual.attnpool.c_proj.bias', tensor([embed], bias)])
  return makeClip(config, new Map([...weights, ...own]), tokenizer)
}

describe.each(figures)('against PyTorch, as a $kind projects', (figures) => {
  const { trunk, embed, views, labels, lambda, step, run } = figures
  const images = labels.length
  const text = tensor([figures.text.length / embed, embed], figures.text)
  const features = tensor([images, views, trunk], figures.features)

  it('a step away from the start: loss, logits, gradient', async () => {
    const clip = await clipOf(figures)
    const name = projectionName(clip.config)
    const first = floatTensor([images, trunk])
    for (let i = 0; i < images; i++) {
      const row = i * views + (i % views)
      first.data.set(features.data.subarray(row * trunk, (row + 1) * trunk), i * trunk)
    }
    const session = await runtime.load(prolipStep(clip, text, lambda, images))
    const shape = clip.weights.get(name)?.shape ?? []
    const outputs = await session
      .run({ [name]: tensor(shape, step.projection), features: first, labels: intTensor([images], labels) })
      .finally(() => session.dispose())
    expect(distance(outputs.loss?.data ?? [], [step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], step.logits)).toBeLessThan(1e-5)
    expect(distance(outputs[`gradient.${name}`]?.data ?? [], step.gradient)).toBeLessThan(1e-5)
  })

  it('a training: losses and the projection that it ends with', async () => {
    const clip = await clipOf(figures)
    const train = { features: floatTensor([images, views, embed]), trunk: features, labels }
    const settings = { lambda, ...run, batchSize: images }
    const { steps, tensors } = await trainProlip(clip, { runtime, train }, text, settings, inOrder, {})
    const losses = Float64Array.from(steps, ({ loss }) => loss)
    expect(distance(losses, run.losses)).toBeLessThan(1e-5)
    expect(distance(tensors.get(projectionName(clip.config))?.data ?? [], run.end)).toBeLessThan(1e-5)
  })
})

describe.each(['vit', 'resnet'] as const)('as a method, on a %s', (kind) => {
  const clipOfKind = tinyClip(kind === 'vit' ? tinyConfig() : tinyResNetConfig())
  const shots = 4

  /** Trunk features around a direction for each class, and the image features that the model makes of them. */
  async function taskOf() {
    const clip = await clipOfKind
    const width = trunkWidth(clip.config)
    const labels = Array.from({ length: shots * toyClasses.length }, (_, i) => i % toyClasses.length)
    const n = labels.length
    const trunk = randomTensor([n, 1, width], 1)
    const { data: centres } = randomTensor([toyClasses.length, width], 2, (u) => 2 * u)
    for (const [i, label] of labels.entries()) {
      for (let j = 0; j < width; j++) trunk.data[i * width + j]! += centres[label * width + j]!
    }
    const encoder = imageEncoder(clip, runtime, 4)
    const features = floatTensor([n, 1, clip.config.embedDim], await encoder.project(trunk.data))
    await encoder.dispose()
    const train: TrainingSet = { features, trunk, labels }
    return { clip, runtime, classNames: toyClasses, train, method: 'prolip' }
  }

  it('begins as zero-shot, learns to tell pictures apart, and stays near the start where that costs enough', async () => {
    const task = await taskOf()
    const trunk = floatTensor(task.train.trunk?.shape.filter((_, axis) => axis !== 1) ?? [], task.train.trunk?.data)
    const features = floatTensor([task.train.labels.length, task.clip.config.embedDim], task.train.features.data)
    const by = async (settings: object) => {
      const { classifier, learned } = await learnFewShot({ ...task, settings })
      const logits = await classifier.logits(trunk)
      const predicted = await classifier.predict(trunk)
      await classifier.dispose()
      const right = task.train.labels.filter((label, i) => predicted[i] === label).length
      return { logits, right, takes: classifier.takes, ...learned }
    }
    const zeroShot = await zeroShotClassifier({ ...task, templates: ['a photo of a {}.'] })
    const untouched = await by({ learningRate: 1e-12, epochs: 1 })
    expect(untouched.takes).toBe('trunk')
    expect(distance(untouched.logits.data, (await zeroShot.logits(features)).data)).toBeLessThan(1e-5)
    const learned = await by({ learningRate: 0.01, lambda: 0.001 })
    expect(learned.right).toBe(task.train.labels.length)
    expect(learned.steps).toHaveLength(100)
    const held = await by({ learningRate: 0.01, lambda: 1e4 })
    expect(distance(held.logits.data, untouched.logits.data)).toBeLessThan(0.1)
    expect((await by({})).facts).toEqual({ lambda: 1 / shots, epochs: 100 })
  })

  it('says what to give where there are no features before the last projection, or others', async () => {
    const task = await taskOf()
    const { trunk, ...train } = task.train
    await expect(learnFewShot({ ...task, train })).rejects.toThrow(UsageError)
    await expect(learnFewShot({ ...task, train })).rejects.toThrow(/there are none/)
    const online = { key: 'drawn', features: async () => train.features }
    await expect(learnFewShot({ ...task, online })).rejects.toThrow(UsageError)
    const features = { ...train, trunk: train.features }
    await expect(learnFewShot({ ...task, train: features })).rejects.toThrow(ShapeError)
    const broken = {
      ...train,
      trunk: floatTensor(
        trunk?.shape ?? [],
        trunk?.data.map(() => Number.NaN),
      ),
    }
    await expect(learnFewShot({ ...task, train: broken })).rejects.toThrow(/not all finite/)
  })

  it('takes new views of each epoch, gives a classifier for other classes, and refuses another model', async () => {
    const task = await taskOf()
    const { trunk } = task.train
    if (trunk === undefined) throw new Error('no trunk features')
    const epochs: number[] = []
    const online = {
      key: 'drawn',
      features: async () => task.train.features,
      trunk: async (epoch: number) => {
        epochs.push(epoch)
        return trunk
      },
    }
    const { learned, settings } = await learnFewShot({ ...task, online, settings: { epochs: 2 } })
    expect(epochs).toEqual([0, 1])
    const others = { ...task, classNames: ['photo', 'paper'], templates: ['a {}.'] }
    const classifier = await prolip.classifier(others, settings, learned)
    const rows = floatTensor([12, trunkWidth(task.clip.config)], trunk.data)
    expect((await classifier.logits(rows)).shape).toEqual([12, 2])
    await expect(classifier.logits(floatTensor([2, 7]))).rejects.toThrow(/before the last projection are \(n, /)
    await classifier.dispose()
    const other = await tinyClip({ ...task.clip.config, embedDim: 4 })
    await expect(prolip.classifier({ ...others, clip: other }, settings, learned)).rejects.toThrow(/visual\./)
  })
})
