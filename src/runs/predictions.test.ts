import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseCsv } from '../data/csv.ts'
import { openParquet, rowGroups } from '../datasets/parquet/file.ts'
import { readNpyMatrix } from '../formats/npy.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { fileSource, readBytes } from '../node/files.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { evaluateRun } from './evaluate.ts'
import { openRun } from './open-run.ts'
import { type TrainResult, train } from './train.ts'

let world: TinyWorld
let run: TrainResult
beforeAll(async () => {
  world = await tinyWorld()
  run = await train(world.photos, {
    ...{ model: world.model, cache: at('cache'), threads: 1, method: 'class-mean', out: at('run') },
    testShare: 0.3,
    predictions: at('train.csv'),
  })
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const rows = async (file: string) => {
  const [head, ...lines] = [...parseCsv(await readFile(file, 'utf8'), ',', file)].map(({ fields }) => fields)
  return lines.map((fields) => Object.fromEntries(fields.map((field, i) => [head?.[i] ?? '', field])))
}

it('a row for each test picture has class, answer, logits and probabilities', async () => {
  const written = await rows(at('train.csv'))
  expect(run.written).toEqual([at('train.csv')])
  expect(written).toHaveLength(run.tested ?? 0)
  expect(written.filter(({ label, predicted }) => label === predicted).length / written.length).toBe(run.accuracy)
  const opened = await openRun(run.run)
  for (const row of written) {
    const [labels = []] = await opened.classify([join(world.photos, row.file ?? '')])
    expect(row.predicted).toBe(labels[0]?.label)
    for (const { label, probability } of labels) {
      expect(Number(row[`probability ${label}`])).toBeCloseTo(probability, 4)
      expect(Number(row[`logit ${label}`])).not.toBeNaN()
    }
    expect(Number(row.probability)).toBe(Number(row[`probability ${row.predicted}`]))
  }
  await opened.dispose()
})

it('the other formats say the same', async () => {
  const csv = await rows(at('train.csv'))
  const write = (ending: string) =>
    evaluateRun(run.run, world.photos, { predictions: at(`p.${ending}`), cache: at('cache') })
  for (const ending of ['jsonl', 'parquet', 'npy', 'safetensors']) await write(ending)
  const names = ['blue', 'green', 'red']
  const logits = csv.map((row) => names.map((name) => Math.fround(Number(row[`logit ${name}`]))))

  const json = (await readFile(at('p.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(json.map((row) => names.map((name) => Math.fround(row.logits[name])))).toEqual(logits)
  expect(json.map(({ file, label, predicted }) => [file, label, predicted])).toEqual(
    csv.map(({ file, label, predicted }) => [file, label, predicted]),
  )
  const parquet = await openParquet(at('p.parquet'))
  const columns = parquet.columns.map(({ name }) => name)
  expect(columns.slice(0, 5)).toEqual(['file', 'label', 'predicted', 'probability', 'logit blue'])
  for await (const group of rowGroups(parquet, columns)) {
    expect(group.map((row) => names.map((name) => row[`logit ${name}`]))).toEqual(logits)
    expect(group.map(({ file }) => file)).toEqual(csv.map(({ file }) => file))
  }
  expect([...readNpyMatrix('p.npy', await readBytes(at('p.npy'))).data]).toEqual(logits.flat())
  expect((await rows(at('p.labels.csv'))).map(({ predicted }) => predicted)).toEqual(
    csv.map(({ predicted }) => predicted),
  )
  const tensors = await openSafetensors(await fileSource(at('p.safetensors')))
  expect([...(await tensors.readFloat('logits')).data]).toEqual(logits.flat())
  expect(JSON.parse(tensors.metadata.get('classNames') ?? '')).toEqual(names)
  const labels = Array.from((await tensors.readInt('labels')).data, (c) => names[Number(c)])
  expect(labels).toEqual(csv.map(({ label }) => label))
})

it('coop-ts classify writes them of pictures that have no label', async () => {
  const words = ['classify', run.run, join(world.photos, 'red'), '--predictions', at('red.csv'), '--quiet', '--json']
  const { images } = onlyJson(await coop(...words)) as { images: { file: string; labels: { label: string }[] }[] }
  const written = await rows(at('red.csv'))
  expect(written.map(({ file, predicted, label }) => [file, predicted, label])).toEqual(
    images.map(({ file, labels }) => [file, labels[0]?.label, undefined]),
  )
})

it('coop-ts zero-shot writes them of the pictures that it tests', async () => {
  const words = ['zero-shot', world.photos, '--model', world.model, '--cache', at('cache'), '--threads', '1']
  const ended = await coop(...words, '--predictions', at('prompts.csv'), '--json', '--quiet')
  const { tested, accuracy, ...told } = onlyJson(ended) as { tested: number; accuracy: number }
  expect(told).toMatchObject({ written: [at('prompts.csv')] })
  const written = await rows(at('prompts.csv'))
  expect(written).toHaveLength(tested)
  expect(written.filter(({ label, predicted }) => label === predicted).length / tested).toBe(accuracy)
  for (const { file = '', label, probability = '', predicted, ...row } of written) {
    expect(file.startsWith(`${label}/`)).toBe(true)
    expect(row[`probability ${predicted}`]).toBe(probability)
  }
  expect((await coop(...words, '--predictions', at('prompts.npy'))).stdout).toMatch(
    /predictions written to .*prompts\.npy/,
  )
  expectFailure(await coop(...words, '--predictions', at('prompts.txt'), '--json'), 2, /prompts\.txt/)
})

it('where no picture was withheld, they are those of learners that had not seen it', async () => {
  const about = { model: world.model, cache: at('cache'), threads: 1 }
  const file = at('folds.csv')
  const trained = await train(world.photos, { ...about, method: 'class-mean', out: at('folds'), predictions: file })
  expect([trained.measured, trained.written]).toEqual(['cross-validated', [file]])
  const written = await rows(file)
  expect(written).toHaveLength(trained.tested ?? 0)
  expect(written.filter(({ label, predicted }) => label === predicted).length / written.length).toBe(trained.accuracy)
  expect(written.every(({ file = '', label }) => file.startsWith(`${label}/`))).toBe(true)
})

it('results.json has the confusion matrix, accuracies by class, top 5, the data and the command', async () => {
  const words = ['train', world.photos, '--model', world.model, '--method', 'class-mean', '--out', at('told')]
  expect(
    (await coop(...words, '--cache', at('cache'), '--threads', '1', '--quiet', '--test-share', '0.3')).status,
  ).toBe(0)
  const text = await readFile(at('told', 'results.json'), 'utf8')
  const told = JSON.parse(text)
  const { confusion, perClass, classNames, accuracy, tested, meanPerClass } = told
  expect(classNames).toEqual(['blue', 'green', 'red'])
  const total = confusion.flat().reduce((a: number, b: number) => a + b, 0)
  const right = confusion.reduce((sum: number, row: number[], c: number) => sum + (row[c] ?? 0), 0)
  expect([total, right / total]).toEqual([tested, accuracy])
  const shares = classNames.map((name: string) => perClass[name])
  expect(meanPerClass).toBeCloseTo(shares.reduce((a: number, b: number) => a + b, 0) / 3, 12)
  expect(told).toMatchObject({ top5: 1, chosen: 'fixed', data: { test: expect.stringMatching(/^9 [0-9a-f]{64}$/) } })
  expect(told.environment.command.slice(0, 2)).toEqual(['coop-ts', 'train'])
  expect(told.environment.command.join(' ')).not.toContain(homedir())
  expect(text).toMatch(/\n {4}\[\d,\d,\d\],\n/)
})
