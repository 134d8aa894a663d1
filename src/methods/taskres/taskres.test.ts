import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { floatTensor, intTensor } from '../../graph/index.ts'
import { inOrder } from '../../learning/batches.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { distance } from '../../testing/distance.ts'
import { engine } from '../../testing/engine.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { toyClasses, toySet } from '../../testing/toy-task.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { zeroShotClassifier } from '../zero-shot/features.ts'
import { OPTIMISER, taskRes } from './index.ts'
import { RESIDUALS, shiftedText, taskResStep } from './program.ts'

const numbers = z.array(z.number())
/** By PyTorch in float64 (torch.optim.Adam for the run), on random features, text features and residuals. */
const figures = z
  .object({
    classes: z.int(),
    embed: z.int(),
    alpha: z.number(),
    base: numbers,
    residuals: numbers,
    features: numbers,
    labels: numbers,
    step: z.object({ loss: z.number(), logits: numbers, gradient: numbers }),
    run: z.object({
      epochs: z.int(),
      batchSize: z.int(),
      learningRate: z.number(),
      losses: numbers,
      residuals: numbers,
      logits: numbers,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('fixtures/taskres.json', import.meta.url), 'utf8')))

const clip = await tinyClip() // its logit scale is the figures'
const { classes, embed, alpha, labels } = figures
const matrix = (values: readonly number[]) => floatTensor([values.length / embed, embed], Float32Array.from(values))
const [base, features] = [matrix(figures.base), matrix(figures.features)]

describe('against PyTorch', () => {
  it('a step: loss, logits, gradient', async () => {
    const { step } = figures
    const batch = step.logits.length / classes
    const session = await engine.load(taskResStep(clip, base, alpha, batch))
    const outputs = await session.run({
      [RESIDUALS]: matrix(figures.residuals),
      features: floatTensor([batch, embed], features.data.slice(0, batch * embed)),
      labels: intTensor([batch], labels.slice(0, batch)),
    })
    await session.dispose()
    expect(distance(outputs.loss?.data ?? [], [step.loss])).toBeLessThan(1e-5)
    expect(distance(outputs.logits?.data ?? [], step.logits)).toBeLessThan(1e-5)
    expect(distance(outputs[`gradient.${RESIDUALS}`]?.data ?? [], step.gradient)).toBeLessThan(1e-5)
  })

  it('a training by Adam: losses, residuals, and the logits they give', async () => {
    const { run } = figures
    const train = { features: floatTensor([labels.length, 1, embed], features.data), labels }
    const own = {
      program: (batch: number) => taskResStep(clip, base, alpha, batch),
      start: new Map([[RESIDUALS, floatTensor(base.shape)]]),
      optimiser: OPTIMISER,
      order: inOrder,
    }
    const { steps, tensors } = await learnByRecipe({ runtime: engine, train, seed: 1 }, run, own, {})
    const losses = steps.map(({ loss }) => loss)
    expect(losses).toHaveLength(run.losses.length)
    expect(distance(losses, run.losses)).toBeLessThan(1e-5)
    const residuals = tensors.get(RESIDUALS) ?? floatTensor([0])
    expect(distance(residuals.data, run.residuals)).toBeLessThan(1e-5)
    const classNames = labels.slice(0, classes).map(String)
    const classifier = textClassifier({ clip, runtime: engine, classNames }, shiftedText(base, residuals, alpha))
    expect(distance((await classifier.logits(features)).data, run.logits)).toBeLessThan(1e-5)
  })
})

describe('the method', () => {
  const task = (templates: readonly string[] = ['a photo of a {}.']) => ({
    clip,
    runtime: engine,
    classNames: toyClasses,
    templates,
    train: toySet(4),
    val: toySet(1),
    shots: 4,
    seed: 1,
  })
  const images = floatTensor([24, 10], toySet(8, 1).features.data)

  it('with alpha 0 is zero-shot', async () => {
    const learned = await taskRes.learn(task(), { alpha: 0, epochs: 3 }, {})
    const classifier = await taskRes.classifier(task(), { alpha: 0 }, learned)
    const zeroShot = await zeroShotClassifier(task())
    expect(distance((await classifier.logits(images)).data, (await zeroShot.logits(images)).data)).toBeLessThan(1e-6)
  })

  it('starts from the mean of the prompts as the text tower gives them, not from their directions', async () => {
    const prompts = ['a photo of a {}.', 'the small {}']
    const learned = await taskRes.learn(task(prompts), { epochs: 1, learningRate: 1e-12 }, {})
    const classifier = await taskRes.classifier(task(), { templates: prompts }, learned)
    const zeroShot = await zeroShotClassifier(task(prompts))
    const far = distance((await classifier.logits(images)).data, (await zeroShot.logits(images)).data)
    expect(far).toBeGreaterThan(1e-4)
    expect(far).toBeLessThan(0.5)
  })

  it('tells toy classes apart, and learns as long as the official code for that many shots', async () => {
    const learned = await taskRes.learn(task(), { learningRate: 0.1 }, {})
    const { labels } = toySet(8, 1)
    const predicted = await (await taskRes.classifier(task(), {}, learned)).predict(images)
    expect(labels.filter((label, i) => predicted[i] === label).length / labels.length).toBeGreaterThan(0.9)
    const epochs = async (shots: number) => (await taskRes.learn({ ...task(), shots }, {}, {})).facts.epochs
    expect(await Promise.all([1, 2, 4, 8, 16].map(epochs))).toEqual([100, 100, 100, 200, 200])
  })

  it('has no classifier for other classes', async () => {
    const learned = await taskRes.learn(task(), { epochs: 1 }, {})
    const others = { ...task(), classNames: ['photo', 'paper'] }
    await expect(taskRes.classifier(others, {}, learned)).rejects.toThrow(/text_feature_residuals has shape \(3, 10\)/)
    expect(taskRes.transfers({})).toBe(false)
  })

  it('refuses what is no number for alpha, and classes without images', async () => {
    expect(() => taskRes.settings.parse({ alpha: -1 })).toThrow(/alpha/)
    const few = { features: floatTensor([2, 1, 10], images.data.slice(0, 20)), labels: [0, 1] }
    await expect(taskRes.learn({ ...task(), train: few }, {}, {})).rejects.toThrow(/no image to learn "house" from/)
  })
})

it('is titled by what differs from the usual', () => {
  expect([taskRes.title({}), taskRes.title({ alpha: 1 })]).toEqual(['TaskRes', 'TaskRes, alpha 1'])
})
