import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { encodeTexts, imageEncoder } from '../../clip/encode.ts'
import { loadClip } from '../../clip/load.ts'
import type { RgbImage } from '../../clip/types.ts'
import { drawFewShot } from '../../data/fewshot.ts'
import { writeSafetensors } from '../../formats/safetensors.ts'
import { type FloatTensor, floatTensor, type IntTensor, intTensor } from '../../graph/tensor.ts'
import { inOrder } from '../../learning/batches.ts'
import { textClassifier } from '../../learning/classifier.ts'
import { learningRateOf } from '../../learning/schedule.ts'
import { coopStep } from '../../methods/coop/program.ts'
import { PAPER_SETTINGS, trainPrompt } from '../../methods/coop/train-prompt.ts'
import { linearOutputs } from '../../methods/linear-probe/linear-model.ts'
import { fitLogistic } from '../../methods/linear-probe/logistic-regression.ts'
import { plainProducts } from '../../methods/linear-probe/products.ts'
import { zeroShotFeatures } from '../../methods/zero-shot/features.ts'
import { folderModelFiles } from '../../node/files.ts'
import { encodePng } from '../../node/image.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { preprocess } from '../../pictures/preprocess.ts'
import { randomContext } from '../../prompt/context-start.ts'
import { promptLayout } from '../../prompt/layout.ts'
import { contextShape } from '../../prompt/prompted-tower.ts'
import type { Runtime } from '../../runtime/types.ts'
import { tinyClip, tinyConfig, tinyTables } from '../../testing/tiny-clip.ts'
import { saveOpenClip } from '../pretrain/save.ts'
import { checkGolden } from './check.ts'

const MODEL = 'any name'
const CLASSES = ['dog', 'toilet_paper', 'cat', 'house', 'small photo']
const CASE = { key: 'one', model: MODEL, M: 5, position: 'middle', classSpecific: false } as const
const RUN = { key: 'run', model: MODEL, M: 3, position: 'front', classSpecific: true, epochs: 3, batchSize: 4 } as const

let runtime: Runtime
let root: string
let whole: string
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
  root = await mkdtemp(join(tmpdir(), 'coop-golden-'))
  whole = join(root, 'whole')
  await writeGolden(whole)
}, 120_000)
afterAll(async () => {
  await runtime.close()
  await rm(root, { recursive: true, force: true })
})

function noise(shape: readonly number[], key: string): FloatTensor {
  const random = randomFor(key)
  const size = shape.reduce((a, b) => a * b, 1)
  return floatTensor(
    shape,
    Float32Array.from({ length: size }, () => random.normal()),
  )
}

/** A folder in the format of the reference figures, but of another model, other prompts and numbers; by this code. */
async function writeGolden(folder: string): Promise<void> {
  await mkdir(join(folder, MODEL), { recursive: true })
  await mkdir(join(folder, 'images'))
  const { config, weights } = await tinyClip(tinyConfig({ activation: 'gelu', heads: 3 }))
  for (const [name, bytes] of saveOpenClip(config, weights, tinyTables, { dtype: 'float32' })) {
    await writeFile(join(folder, MODEL, name), bytes)
  }
  const clip = await loadClip(folderModelFiles(join(folder, MODEL)))
  const { tokenizer } = clip
  const json = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value))
  const tensors = (name: string, values: Record<string, FloatTensor | IntTensor>) =>
    writeFile(join(folder, name), writeSafetensors(new Map(Object.entries(values))))

  const texts = ['a dog', 'a photo of a cat.', '']
  await json('tokens.json', { rows: texts.map((text) => ({ text, ids: tokenizer.tokenize(text) })) })
  await json('text_features.json', { rows: texts })
  const image: RgbImage = {
    width: 13,
    height: 9,
    data: Uint8Array.from({ length: 13 * 9 * 3 }, (_, i) => (i * 7) % 256),
  }
  await writeFile(join(folder, 'images', 'one.png'), await encodePng(image))
  await json('images.json', { names: ['one.png'] })
  const pixels = preprocess(image, clip.config.preprocess)
  const encoder = imageEncoder(clip, runtime, 1)
  await tensors('features.safetensors', {
    [`${MODEL}.pixels`]: floatTensor([1, 3, 8, 8], pixels),
    [`${MODEL}.image_features`]: floatTensor([1, 10], await encoder.encode([pixels])),
    [`${MODEL}.text_features`]: await encodeTexts(clip, runtime, texts),
  })
  await encoder.dispose()

  const features = noise([6, 10], 'features')
  const labels = intTensor([6], [0, 1, 2, 3, 4, 0])
  const layout = promptLayout(tokenizer, CLASSES, CASE)
  const ctx = randomContext(contextShape(clip, layout), 1)
  const session = await runtime.load(coopStep(clip, layout, 6))
  const { loss, logits, 'gradient.ctx': gradient } = await session.run({ ctx, features, labels })
  await session.dispose()
  await json('coop.json', { classNames: CLASSES, cases: [{ ...CASE, loss: loss.data[0] }] })
  await tensors('coop.safetensors', {
    'one.ctx': ctx,
    'one.logits': logits,
    'one.grad': gradient,
    [`${MODEL}.features`]: features,
    [`${MODEL}.labels`]: labels,
  })

  const set = { features: noise([9, 1, 10], 'train'), labels: [0, 1, 2, 3, 4, 0, 1, 2, 3] }
  const { key: _, model: __, ...shape } = RUN
  const settings = { ...PAPER_SETTINGS, ...shape }
  const start = randomContext([CLASSES.length, RUN.M, 12], 2)
  const end = await trainPrompt({ clip, runtime, classNames: CLASSES, set, settings }, { start, order: inOrder })
  const lr = [0, 1, 2].map((epoch) => learningRateOf(settings, epoch))
  await json('train.json', { classNames: CLASSES, runs: [{ ...RUN, losses: end.losses, lr }] })
  await tensors('train.safetensors', {
    'run.features': floatTensor([9, 10], set.features.data),
    'run.labels': intTensor([9], set.labels),
    'run.ctx0': start,
    'run.ctx': end.ctx,
  })
  await json('lr.json', { what: 'rates', 3: lr })

  const items = (list: readonly number[]) => list.map((label, index) => ({ label, index }))
  const [trainLabels, valLabels] = [
    [0, 1, 0, 1, 1, 0],
    [1, 0],
  ]
  const drawn = drawFewShot(items(trainLabels), items(valLabels), 2, 7)
  const [train, val] = [drawn.train, drawn.val].map((part) => part.map(({ index }) => index))
  await json('fewshot.json', { trainLabels, valLabels, samples: [{ seed: 7, shots: 2, train, val }] })

  await json('linearprobe.json', await regressions())

  const templates = ['a photo of a {}.', 'the {}']
  const zeroShot = await zeroShotFeatures({ clip, runtime, classNames: CLASSES, templates })
  await json('zeroshot.json', { templates, classNames: CLASSES })
  await tensors('zeroshot.safetensors', {
    [`${MODEL}.weights`]: zeroShot,
    [`${MODEL}.logits`]: await textClassifier({ clip, runtime, classNames: CLASSES }, zeroShot).logits(features),
  })
}

/** Regressions of this code, one of them stopped early; labels are not 0, 1, 2. */
async function regressions() {
  const values = noise([12, 3], 'rows').data
  const trainX = Array.from({ length: 12 }, (_, i) => Array.from(values.slice(3 * i, 3 * i + 3)))
  const targets = trainX.map((_, i) => i % 3)
  const products = plainProducts(Float64Array.from(trainX.flat()), 12, 3)
  const trainY = targets.map((target) => 10 * target + 5)
  const stops = [{ C: 0.1 }, { C: 1e4, stop: { gradient: 1e-6 } }]
  const fits = stops.map(async ({ C, ...options }) => {
    const fit = await fitLogistic(products, targets, 3, C, options)
    const coef = [0, 1, 2].map((c) => Array.from(fit.weights.subarray(3 * c, 3 * c + 3)))
    const outputs = await linearOutputs(fit, trainX.flat())
    const right = targets.filter((target, i) => {
      const row = outputs.subarray(3 * i, 3 * i + 3)
      return row.indexOf(Math.max(...row)) === target
    })
    return { C, coef, intercept: Array.from(fit.intercepts), testAccuracy: right.length / 12 }
  })
  return { trainX, trainY, testX: trainX, testY: trainY, fits: await Promise.all(fits) }
}

/** A copy of the whole folder, or of some files of it. */
async function copy(name: string, files?: readonly string[]): Promise<string> {
  const folder = join(root, name)
  await mkdir(folder)
  if (files === undefined) await cp(whole, folder, { recursive: true })
  for (const file of files ?? []) await cp(join(whole, file), join(folder, file), { recursive: true })
  return folder
}

async function check(folder: string) {
  const lines: string[] = []
  const counts = await checkGolden(folder, runtime, (line) => lines.push(line))
  const ending = (word: string) => lines.filter((line) => line.endsWith(`  ${word}`))
  expect(counts).toEqual({ passed: ending('ok').length, failed: ending('FAIL').length })
  return { lines, ok: ending('ok'), failed: ending('FAIL'), skipped: ending('skip') }
}

const write = (folder: string, name: string, content: unknown) =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))

describe('golden', () => {
  it('passes what this code computed, a line a check', async () => {
    const { ok, failed, skipped } = await check(whole)
    expect(failed).toEqual([])
    expect(skipped).toEqual([])
    expect(ok.map((line) => line.split(': worst error')[0])).toEqual([
      `tokens ${MODEL}, texts that differ of 3`,
      `pixels ${MODEL} one.png, levels of 256`,
      `image features ${MODEL}`,
      `text features ${MODEL}`,
      'coop one, logits',
      'coop one, loss',
      'coop one, gradient',
      'training run, learning rates',
      'training run, losses',
      'training run, context vectors',
      'schedule of 3 epochs, learning rates',
      'few-shot subset of 2 shots, seed 7, items that differ',
      `zero-shot ${MODEL}, weights`,
      `zero-shot ${MODEL}, logits`,
      ...['0.1', '10000'].flatMap((C) => [
        `linear probe, C ${C}, coefficients`,
        `linear probe, C ${C}, intercepts`,
        `linear probe, C ${C}, test images right of 12, difference`,
      ]),
    ])
    expect(ok[4]).toMatch(/: worst error (0|\d\.\de-\d+), bound 1\.0e-4 {2}ok$/)
  })

  it('passes over what is not there', async () => {
    expect((await check(await copy('rates only', ['lr.json']))).lines).toHaveLength(1)
    expect((await check(await copy('no model', ['coop.json', 'coop.safetensors']))).skipped).toEqual([
      `coop one: there is no model folder ${MODEL}  skip`,
    ])
    const { ok, failed } = await check(await copy('no images', [MODEL, 'features.safetensors', 'text_features.json']))
    expect(ok).toHaveLength(2)
    expect(failed).toEqual([])
  })

  it('fails what differs, and only that', async () => {
    const folder = await copy('wrong')
    const text = 'a dog'
    await write(folder, 'tokens.json', { rows: [{ text, ids: [1, 2, 3] }] })
    await write(folder, 'lr.json', { 3: [1e-5, 0.002, 0.002] })
    await write(folder, 'fewshot.json', {
      trainLabels: [0, 1, 0, 1],
      valLabels: [],
      samples: [{ seed: 7, shots: 1, train: [0, 0], val: [] }],
    })
    const probe = await regressions()
    const [first, second] = probe.fits
    await write(folder, 'linearprobe.json', { ...probe, fits: [first, { ...second, C: 100 }] })
    const coop = { classNames: CLASSES, cases: [{ ...CASE, position: 'end', loss: 9 }] }
    await write(folder, 'coop.json', coop)
    const { failed, ok } = await check(folder)
    expect(failed.map((line) => line.split(/[:,]/)[0])).toEqual([
      `tokens ${MODEL}`,
      'coop one',
      'coop one',
      'coop one',
      'schedule of 3 epochs',
      'few-shot subset of 1 shots',
      'linear probe',
      'linear probe',
    ])
    expect(ok).toHaveLength(12)
  })

  it('says what is wrong with a damaged part and goes on with the rest', async () => {
    const folder = await copy('damaged')
    await write(folder, 'tokens.json', '{"rows": [')
    await write(folder, 'lr.json', { 3: 'x', 4: [1e-5, 0.002], many: [1] })
    await write(folder, 'images/one.png', 'no picture')
    await write(folder, 'zeroshot.safetensors', 'short')
    const probe = await regressions()
    const [row] = probe.fits
    await write(folder, 'linearprobe.json', { ...probe, fits: [row, { C: -1 }, { ...row, coef: [[1, 2, 3]] }] })
    await write(folder, 'coop.json', {
      classNames: CLASSES,
      cases: [
        { ...CASE, position: 'left', loss: 1 },
        5,
        { ...CASE, key: 'other', loss: 1 },
        { ...CASE, M: 4, loss: 1 },
      ],
    })
    const { failed, ok } = await check(folder)
    expect(failed).toEqual([
      expect.stringMatching(/^tokens: tokens.json:1:\d+: not valid JSON/),
      expect.stringMatching(/^pixels any name one.png: .* cannot be read as a picture/),
      expect.stringMatching(/^coop one: .*position/),
      expect.stringMatching(/^coop case 2: /),
      expect.stringMatching(/^coop other: .*no tensor "other.ctx"/),
      expect.stringMatching(/^coop one: one.ctx is \(5, 12\), expected \(4, 12\)/),
      expect.stringMatching(/^schedule of 4 epochs: 4 values were computed, the folder has 2/),
      expect.stringMatching(/^schedule of many epochs: /),
      expect.stringMatching(/^zero-shot: .*zeroshot.safetensors/),
      expect.stringMatching(/^linear probe, fit 2: .*C/),
      expect.stringMatching(/^linear probe, fit 3: .*1 rows of coefficients for 3 classes/),
    ])
    expect(ok.length).toBeGreaterThan(5)
  })

  it('says what is wrong with a model that does not load', async () => {
    const folder = await copy('model', [MODEL, 'tokens.json', 'lr.json'])
    await write(folder, `${MODEL}/open_clip_model.safetensors`, 'short')
    const { failed, ok } = await check(folder)
    expect(failed[0]).toMatch(/^model any name: .*open_clip_model.safetensors/)
    expect(ok).toHaveLength(1)
  })

  it('refuses a folder that is not there or has nothing to check', async () => {
    await expect(check(join(root, 'nowhere'))).rejects.toThrow(UsageError)
    await expect(check(await copy('empty', []))).rejects.toThrow(/nothing in it to check/)
  })

  it('ends with status 0, 1 or 2', { timeout: 120_000 }, async () => {
    const good = await copy('good', ['lr.json'])
    const bad = await copy('bad', ['lr.json'])
    await write(bad, 'lr.json', { 3: [1, 2, 3] })
    expect(await runMain(good)).toEqual({ status: 0, last: '1 passed, 0 failed, on cpu' })
    expect(await runMain(bad)).toEqual({ status: 1, last: '0 passed, 1 failed, on cpu' })
    expect(await runMain(join(root, 'nowhere'))).toEqual({ status: 2, last: '' })
  })
})

function runMain(folder: string): Promise<{ status: unknown; last: string | undefined }> {
  const script = fileURLToPath(new URL('main.ts', import.meta.url))
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', script, folder], (error, stdout) => {
      resolve({ status: error ? error.code : 0, last: stdout.trimEnd().split('\n').at(-1) })
    })
  })
}
