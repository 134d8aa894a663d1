import { describe, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { imageEncoder } from '../clip/encode.ts'
import { loadClip } from '../clip/load.ts'
import type { Clip, RgbImage } from '../clip/types.ts'
import { type FloatTensor, floatTensor, intTensor } from '../graph/index.ts'
import type { PixelSource } from '../learning/batches.ts'
import { accuracyOf, type ImageClassifier } from '../learning/classifier.ts'
import { normaliseRows } from '../learning/vectors.ts'
import { folderModelFiles } from '../node/files.ts'
import { bundledModel } from '../node/package.ts'
import { preprocess } from '../pictures/preprocess.ts'
import { engine, randomTensor, worstError } from '../testing/engine.ts'
import { checkStep } from '../testing/gradient-check.ts'
import { lora, loraStart, loraStep } from '../testing/lora.ts'
import { tinyClip, tinyConfig, tinyResNetConfig } from '../testing/tiny-clip.ts'
import { learnFewShot } from './index.ts'
import { zeroShotClassifier } from './zero-shot/features.ts'

const runtime = engine
const classNames = ['dog', 'cat', 'house']
const templates = ['{}']
const labels = [0, 1, 2, 1]
const BATCH = labels.length

const TOWERS = await Promise.all(
  [
    { name: 'vit', config: tinyConfig({}, { layers: 2 }), projections: 2 * 4, tolerance: 1e-4 },
    // relu's kinks: finite differences step over some
    { name: 'resnet', config: tinyResNetConfig(), projections: 5 * 2 + 4 + 4, tolerance: 1e-3 },
  ].map(async ({ config, ...tower }) => ({
    ...tower,
    clip: await tinyClip(config),
    pixels: pictures(config.preprocess.size),
  })),
)

describe.each(TOWERS)('rank-1 LoRA on the image tower: $name', ({ clip, pixels, projections, tolerance }) => {
  const classes = { clip, runtime, classNames, templates }
  // prompts of a random model are much alike: as little difference counts as in a trained one
  const sharp = {
    ...clip,
    weights: new Map([...clip.weights, ['logit_scale', floatTensor([], Float32Array.of(Math.log(100)))]]),
  }
  const learn = async (seed: number) => {
    const settings = { epochs: 30, learningRate: 0.03 }
    const train = await trainingSet(clip, pixels)
    return learnFewShot({ ...classes, clip: sharp, method: lora, settings, train, pixels: sourceOf(pixels), seed })
  }

  it('learns two tensors for each projection of blocks, shortcuts and pool', () => {
    expect(loraStart(clip, 1).size).toBe(2 * projections)
  })

  it('has gradients that equal finite differences', () => {
    // prompts of a random model are much alike; directions of classes are not
    const text = normaliseRows(randomTensor([classNames.length, clip.config.embedDim], 2))
    const start = Array.from(loraStart(clip, 1))
    const tensors = new Map(start.map(([name, { shape }], i) => [name, randomTensor(shape, i, (u) => 0.3 * u)]))
    return checkStep(
      loraStep(clip, text, BATCH),
      tensors,
      { pixels, labels: intTensor([BATCH], labels) },
      { tolerance },
    )
  })

  it('starts as the frozen model with hand-written prompts', async () => {
    const frozen = await zeroShotClassifier(classes)
    const untouched = await lora.classifier(classes, {}, { tensors: loraStart(clip, 1) })
    expect(untouched.takes).toBe('pixels')
    const { data } = await frozen.logits(await encoded(clip, pixels))
    const logits = await untouched.logits(pixels)
    expect(logits.shape).toEqual([BATCH, classNames.length])
    expect(worstError(logits.data, data)).toBeLessThan(1e-5)
    await disposeOf(frozen, untouched)
  })

  it('learns from pixels: the loss falls, and the same seed learns the same', async () => {
    const [one, again, other] = [await learn(1), await learn(1), await learn(2)]
    const losses = one.learned.steps.map(({ loss }) => loss)
    expect(losses).toHaveLength(30)
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0))
    expect(again.learned).toEqual(one.learned)
    expect(other.learned.tensors).not.toEqual(one.learned.tensors)
    await disposeOf(one.classifier, again.classifier, other.classifier)
  })

  it('says what it lacks: pixels, or the tensors of this model', async () => {
    const train = await trainingSet(clip, pixels)
    const task = { ...classes, method: lora, train, pixels: sourceOf(pixels) }
    await expect(learnFewShot({ ...task, pixels: undefined })).rejects.toThrow(/learns from pixels/)
    await expect(learnFewShot({ ...task, pixels: { ...task.pixels, images: 3 } })).rejects.toThrow(/3 images.* for 4/)
    await expect(learnFewShot({ ...task, classNames: ['dog', 'cat'] })).rejects.toThrow(/label 2/)
    await expect(lora.classifier(classes, {}, { tensors: new Map() })).rejects.toThrow(/no tensor "visual\..*\.A"/)
  })
})

it('learns to tell shapes apart on the bundled model', async () => {
  const clip = await loadClip(folderModelFiles(bundledModel()))
  const classNames = Object.keys(SHAPES)
  const images = classNames.flatMap((_, label) => [0, 1].map((i) => ({ label, image: drawing(label, i) })))
  const labels = images.map(({ label }) => label)
  const { size } = clip.config.preprocess
  const pixels = floatTensor([images.length, 3, size, size])
  for (const [i, { image }] of images.entries())
    pixels.data.set(preprocess(image, clip.config.preprocess), i * 3 * size ** 2)

  const classes = { clip, runtime, classNames, templates }
  const train = await trainingSet(clip, pixels, labels)
  const settings = { epochs: 20, learningRate: 0.01 }
  const { learned, classifier } = await learnFewShot({
    ...classes,
    method: lora,
    settings,
    train,
    pixels: sourceOf(pixels),
  })
  const frozen = await zeroShotClassifier(classes)
  const share = (answers: readonly number[]) => accuracyOf(classNames, answers, labels).accuracy
  const before = share(await frozen.predict(await encoded(clip, pixels)))
  const after = share(await classifier.predict(pixels))
  const [first = 0, last] = [learned.steps[0]?.loss, learned.steps.at(-1)?.loss]
  expect(last).toBeLessThan(0.4 * first)
  expect(after).toBeGreaterThan(before + 0.3)
  await disposeOf(frozen, classifier)
})

const disposeOf = (...classifiers: readonly ImageClassifier[]) => Promise.all(classifiers.map((c) => c.dispose()))

async function trainingSet(clip: Clip, pixels: FloatTensor, of: readonly number[] = labels) {
  return { features: floatTensor([of.length, 1, clip.config.embedDim], (await encoded(clip, pixels)).data), labels: of }
}

/** Features `(n, embed)` of the frozen tower. */
async function encoded(clip: Clip, pixels: FloatTensor): Promise<FloatTensor> {
  const [n = 0] = pixels.shape
  const encoder = imageEncoder(clip, runtime, n)
  const features = await encoder.encode(Array.from({ length: n }, (_, i) => row(pixels, i)))
  await encoder.dispose()
  return floatTensor([n, clip.config.embedDim], features)
}

/** The same pixels in every epoch. */
function sourceOf(pixels: FloatTensor): PixelSource {
  const [n = 0, ...image] = pixels.shape
  return {
    images: n,
    async pixels(some) {
      const batch = floatTensor([some.length, ...image])
      for (const [i, k] of some.entries()) batch.data.set(row(pixels, k), (i * pixels.data.length) / n)
      return batch
    },
  }
}

function row({ shape: [n = 1], data }: FloatTensor, i: number): Float32Array {
  return data.subarray((i * data.length) / n, ((i + 1) * data.length) / n)
}

/** Pictures that are not alike: each of a colour of its own, with noise. */
function pictures(size: number): FloatTensor {
  const colours = randomTensor([BATCH, 3], 1, (u) => 2 * u).data
  const { shape, data } = randomTensor([BATCH, 3, size, size], 3)
  return floatTensor(
    shape,
    data.map((u, i) => u + (colours[Math.floor(i / size ** 2)] ?? 0)),
  )
}

/** Whether a point is inside, about (0, 0) and in about [-1, 1]. */
const SHAPES: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  circle: (x, y) => Math.hypot(x, y) < 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.9,
  triangle: (x, y) => y < 0.8 && y > 2 * Math.abs(x) - 1,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.3 && Math.max(Math.abs(x), Math.abs(y)) < 1,
}

/** A shape somewhere in the picture, of any colour on any ground. */
function drawing(label: number, i: number): RgbImage {
  const size = 64
  const random = randomFor('drawing', label, i)
  const isInside = Object.values(SHAPES)[label]
  const [left, top, radius] = [24 + 16 * random.next(), 24 + 16 * random.next(), 10 + 10 * random.next()]
  const ground = [0, 1, 2].map(() => random.int(256))
  const data = Uint8Array.from({ length: 3 * size ** 2 }, (_, j) => {
    const pixel = Math.floor(j / 3)
    const inside = isInside?.(((pixel % size) - left) / radius, (Math.floor(pixel / size) - top) / radius)
    return ((ground[j % 3] ?? 0) + (inside ? 128 : 0)) % 256
  })
  return { width: size, height: size, data }
}
