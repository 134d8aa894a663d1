import { describe, expect, it } from 'vitest'
import { imageEncoder } from '../clip/encode.ts'
import { trunkWidth } from '../clip/towers/image-tower.ts'
import type { Clip } from '../clip/types.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import type { ImageClassifier, Looks } from '../learning/classifier.ts'
import { softmaxRows } from '../learning/vectors.ts'
import { type AnyMethod, learnFewShot, METHODS } from '../methods/index.ts'
import { engine, randomTensor } from '../testing/engine.ts'
import { lora, loraStart } from '../testing/lora.ts'
import { metadataOf, stockSession } from '../testing/stock-session.ts'
import { tinyClip, tinyConfig, tinyResNetConfig } from '../testing/tiny-clip.ts'
import { classifierFile, type Exported } from './classifier-file.ts'

const classNames = ['dog', 'cat', 'house']
const labels = [0, 1, 2, 0, 1, 2]

const TOWERS = await Promise.all(
  Object.entries({ vit: tinyConfig({}, { layers: 2 }), resnet: tinyResNetConfig() }).map(async ([name, config]) => ({
    name,
    clip: await tinyClip(config),
    pixels: randomTensor([7, 3, config.preprocess.size, config.preprocess.size], 1, (u) => 2 * u),
  })),
)

/** What else a method needs here to learn something in little time. */
const SETTINGS: Readonly<Record<string, object>> = {
  coop: { epochs: 3, M: 2 },
  kgcoop: { epochs: 3 },
  'clip-adapter': { epochs: 3 },
  clap: { epochs: 3 },
  'tip-adapter': { search: false },
  'tip-adapter-f': { search: false, epochs: 3 },
  prolip: { epochs: 3, learningRate: 0.01 },
  'lp++': { iterations: 5 },
}

async function learned(clip: Clip, pixels: FloatTensor, method: AnyMethod): Promise<ImageClassifier> {
  const set = (rows: FloatTensor) => {
    const [, width = 0] = rows.shape
    return floatTensor([labels.length, 1, width], rows.data.slice(0, labels.length * width))
  }
  const { features, trunk } = await seenOf(clip, pixels)
  const train = { features: set(features), trunk: set(trunk), labels }
  const settings = SETTINGS[method.name] ?? {}
  return (await learnFewShot({ clip, runtime: engine, classNames, train, method, settings })).classifier
}

/** What a classifier may look at, of some pictures. */
async function seenOf(clip: Clip, pixels: FloatTensor): Promise<Readonly<Record<Looks, FloatTensor>>> {
  const { shape, data } = pixels
  const [n = 0] = shape
  const encoder = imageEncoder(clip, engine, n)
  const size = data.length / n
  const images = Array.from({ length: n }, (_, i) => data.subarray(i * size, (i + 1) * size))
  const trunk = await encoder.trunk(images)
  const features = await encoder.project(trunk).finally(() => encoder.dispose())
  return {
    features: floatTensor([n, clip.config.embedDim], features),
    trunk: floatTensor([n, trunkWidth(clip.config)], trunk),
    pixels,
  }
}

const exported = (clip: Clip, classifier: ImageClassifier, name = 'coop'): Exported => ({
  clip,
  classifier,
  method: { name, title: 'A title', settings: { M: 2 } },
  modelName: 'tiny',
  transforms: '2021-10',
  exif: 'turn',
})
const firstOf = ({ shape: [, ...row], data }: FloatTensor, n: number): FloatTensor =>
  floatTensor([n, ...row], data.slice(0, (data.length / 7) * n))
const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length ? Math.max(...Array.from(a, (x, i) => Math.abs(x - (b[i] ?? Number.NaN)))) : Number.NaN

describe.each(TOWERS)('a file of a classifier on a $name, in stock ONNX Runtime', ({ clip, pixels }) => {
  it.each(METHODS.filter(({ name }) => name !== 'cocoop'))(
    'gives the logits of $name for 1, 2 and 7 pictures',
    async (method) => {
      const classifier = await learned(clip, pixels, method)
      const logits = await classifier.logits((await seenOf(clip, pixels))[classifier.takes])
      const probabilities = softmaxRows(logits)
      const session = await stockSession(classifierFile(exported(clip, classifier), 'float32'))
      for (const n of [1, 2, 7]) {
        const given = await session.run(firstOf(pixels, n))
        expect(worst(given.logits, firstOf(logits, n).data)).toBeLessThan(1e-4)
        expect(worst(given.probabilities, firstOf(probabilities, n).data)).toBeLessThan(1e-5)
      }
      await classifier.dispose()
    },
  )

  it('gives the logits of a method that changes the image tower', async () => {
    const random = Array.from(loraStart(clip, 1), ([name, { shape }], i) => [name, randomTensor(shape, i)] as const)
    const classes = { clip, runtime: engine, classNames, templates: ['{}'] }
    const classifier = await lora.classifier(classes, lora.settings.parse({}), { tensors: new Map(random) })
    const session = await stockSession(classifierFile(exported(clip, classifier), 'float32'))
    const { data } = softmaxRows(await classifier.logits(pixels))
    expect(worst((await session.run(pixels)).probabilities, data)).toBeLessThan(1e-5)
    await classifier.dispose()
  })

  it('is smaller with rounded weights, and answers nearly the same', async () => {
    const classifier = await learned(clip, pixels, METHODS.find(({ name }) => name === 'class-mean') ?? lora)
    const files = (['float32', 'float16', 'int8'] as const).map((type) =>
      classifierFile(exported(clip, classifier), type),
    )
    const [whole, half, byte] = await Promise.all(files.map(async (file) => (await stockSession(file)).run(pixels)))
    const [a = 0, b = 0, c = 0] = files.map(({ length }) => length)
    expect([b < a, c < a]).toEqual([true, true])
    const difference = (other = whole) => worst(whole?.probabilities ?? [], other?.probabilities ?? [])
    expect(difference(half)).toBeGreaterThan(0)
    expect(difference(half)).toBeLessThan(2e-3)
    expect(difference(byte)).toBeGreaterThan(difference(half))
    expect(difference(byte)).toBeLessThan(0.05)
    await classifier.dispose()
  })
})

describe('what a file says of itself', () => {
  const [tower] = TOWERS

  it('inputs and outputs with a batch of any length, operators of ONNX alone, and JSON', async () => {
    if (tower === undefined) throw new Error('no tower')
    const { clip, pixels } = tower
    const classifier = { ...(await learned(clip, pixels, METHODS[0] ?? lora)), classNames: ['été', 'crane', 'crane'] }
    const file = classifierFile(exported(clip, classifier), 'int8', { loss: { pictures: 3 } })
    expect(Object.fromEntries(metadataOf(file))).toEqual({
      labels: ['été', 'crane', 'crane (2)'],
      preprocessing: {
        size: 8,
        resize: { shortest_edge: 8 },
        crop: 8,
        interpolation: 'bicubic',
        rescale: 1 / 255,
        mean: [0.5, 0.5, 0.5],
        std: [0.25, 0.25, 0.25],
        channels: 'RGB',
        exif: 'turn',
      },
      logit_scale: expect.closeTo(10, 4),
      temperature: expect.closeTo(0.1, 6),
      method: { name: 'coop', title: 'A title', settings: { M: 2 } },
      model: { name: 'tiny', fingerprint: clip.fingerprint },
      weights: 'int8',
      loss: { pictures: 3 },
    })
    const { inputs, outputs } = await stockSession(file)
    expect(inputs).toMatchObject([{ name: 'pixel_values', type: 'float32', shape: ['n', 3, 8, 8] }])
    expect(outputs).toMatchObject([
      { name: 'logits', shape: ['n', 3] },
      { name: 'probabilities', shape: ['n', 3] },
    ])
    expect(new TextDecoder('latin1').decode(file)).not.toContain('com.microsoft')
    await classifier.dispose()
  })

  it('no file for a method that runs the text tower for each picture', async () => {
    if (tower === undefined) throw new Error('no tower')
    const cocoop = METHODS.find(({ name }) => name === 'cocoop') ?? lora
    const classifier = await learned(tower.clip, tower.pixels, { ...cocoop, name: 'cocoop' })
    expect(() => classifierFile(exported(tower.clip, classifier), 'float32')).toThrow(/text tower for each picture/)
    await classifier.dispose()
  })
})
