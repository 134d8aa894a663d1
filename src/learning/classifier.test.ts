import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DivergedError, ShapeError } from '../base/errors.ts'
import { type FloatTensor, floatTensor, matmul, reshape } from '../graph/index.ts'
import { engine, randomTensor, worstError } from '../testing/engine.ts'
import { longestHold, UNNOTICED } from '../testing/ticks.ts'
import { tinyClip, tinyConfig } from '../testing/tiny-clip.ts'
import { accuracyOf, graphClassifier, textClassifier } from './classifier.ts'
import { normaliseRows } from './vectors.ts'

const clip = await tinyClip()
const factor = Math.exp(clip.weights.get('logit_scale')?.data[0] ?? 0)
const embed = clip.config.embedDim
const named = (classes: number, model = clip) => ({
  clip: model,
  runtime: engine,
  classNames: Array.from({ length: classes }, (_, c) => `class ${c}`),
})

/** exp(logit_scale) cos(image, text) in float64. */
function expectedLogits(x: FloatTensor, text: FloatTensor): number[] {
  const [n = 0, d = 0] = x.shape
  const [classes = 0] = text.shape
  return Array.from({ length: n * classes }, (_, k) => {
    const image = x.data.subarray(Math.floor(k / classes) * d, (Math.floor(k / classes) + 1) * d)
    const words = text.data.subarray((k % classes) * d, ((k % classes) + 1) * d)
    const product = image.reduce((sum, value, j) => sum + value * (words[j] ?? 0), 0)
    return (factor * product) / (Math.hypot(...image) || 1)
  })
}

describe('a classifier by text features', () => {
  const [classes, seed] = [fc.integer({ min: 1, max: 30 }), fc.nat(1000)]

  it('has logits exp(logit_scale) times the cosine, whatever the length of the image features', async () => {
    await fc.assert(
      fc.asyncProperty(classes, fc.nat(50), seed, fc.constantFrom(1e-4, 1, 50), async (classes, n, seed, length) => {
        const text = normaliseRows(randomTensor([classes, embed], seed + 1))
        const x = randomTensor([n, embed], seed, (u) => length * u)
        const classifier = textClassifier(named(classes), text)
        const logits = await classifier.logits(x)
        expect(logits.shape).toEqual([n, classes])
        expect(worstError(logits.data, expectedLogits(x, text))).toBeLessThan(1e-5)
        await classifier.dispose()
      }),
      { numRuns: 30, seed: 1 },
    )
  })

  it('predicts the class with the largest logit, the first of several', async () => {
    await fc.assert(
      fc.asyncProperty(classes, fc.nat(50), seed, async (classes, n, seed) => {
        const text = normaliseRows(randomTensor([classes, embed], seed + 1))
        // each text twice: of every largest logit there are two
        const twice = floatTensor([2 * classes, embed], Float32Array.from([...text.data, ...text.data]))
        const x = randomTensor([n, embed], seed)
        const classifier = textClassifier(named(2 * classes), twice)
        const { data } = await classifier.logits(x)
        const rows = Array.from({ length: n }, (_, i) => data.subarray(2 * i * classes, 2 * (i + 1) * classes))
        const predicted = await classifier.predict(x)
        expect(predicted).toEqual(rows.map((row) => row.indexOf(Math.max(...row))))
        expect(predicted.every((c) => c < classes)).toBe(true)
        await classifier.dispose()
      }),
      { numRuns: 20, seed: 1 },
    )
  })

  it('gives features of zeros finite logits', async () => {
    const classifier = textClassifier(named(3), normaliseRows(randomTensor([3, embed], 1)))
    const x = randomTensor([4, embed], 1)
    x.data.fill(0, embed, 2 * embed)
    const { data } = await classifier.logits(x)
    expect(data.every(Number.isFinite)).toBe(true)
    expect([...data.subarray(3, 6)]).toEqual([0, 0, 0])
    expect((await classifier.predict(x))[1]).toBe(0)
  })

  it('refuses text features that are no numbers', () => {
    const text = floatTensor([2, embed])
    text.data[7] = Number.NaN
    expect(() => textClassifier(named(2), text)).toThrow(DivergedError)
  })
})

describe('a classifier by a graph', () => {
  it('of features and of pixels takes what it is for, and refuses the rest with words', async () => {
    const features = graphClassifier(named(2), (x) => matmul(x, x.graph.constant(randomTensor([embed, 2], 1))))
    const pixels = graphClassifier(
      named(2),
      (x) => matmul(reshape(x, [x.shape[0] ?? 0, 192]), x.graph.constant(randomTensor([192, 2], 1))),
      'pixels',
    )
    expect([features.takes, pixels.takes]).toEqual(['features', 'pixels'])
    const [images, pictures] = [floatTensor([40, embed]), floatTensor([40, 3, 8, 8])]
    for (const ask of ['logits', 'predict'] as const) {
      await features[ask](images)
      await pixels[ask](pictures)
      await expect(features[ask](pictures)).rejects.toThrow(
        'image features are (n, 10) for this model, not (40, 3, 8, 8)',
      )
      await expect(pixels[ask](images)).rejects.toThrow('image pixels are (n, 3, 8, 8) for this model, not (40, 10)')
      await expect(features[ask](floatTensor([1, 9]))).rejects.toThrow(ShapeError)
      await expect(features[ask](floatTensor([embed]))).rejects.toThrow(ShapeError)
    }
    expect((await pixels.logits(floatTensor([0, 3, 8, 8]))).shape).toEqual([0, 2])
    expect(await features.predict(floatTensor([0, embed]))).toEqual([])
  })
})

it('the caller’s thread goes on while logits are computed', async () => {
  const wide = await tinyClip({ ...tinyConfig(), embedDim: 64 })
  const classifier = textClassifier(named(100, wide), normaliseRows(randomTensor([100, 64], 1)))
  const x = randomTensor([20_000, 64], 1)
  await classifier.logits(x) // makes the session
  const hold = await longestHold(async () => {
    for (let i = 0; i < 10; i++) await classifier.logits(x)
  })
  expect(hold).toBeLessThan(UNNOTICED)
})

it('accuracy is that of all and of each class', () => {
  expect(accuracyOf(['a', 'b'], [0, 0, 1], [0, 1, 1])).toEqual({ accuracy: 2 / 3, perClass: [1, 0.5] })
  expect(accuracyOf(['a', 'b'], [1], [1]).perClass).toEqual([Number.NaN, 1])
})
