import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeNpy } from '../formats/npy.ts'
import { floatTensor } from '../graph/tensor.ts'
import { openRun } from '../runs/open-run.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { metadataOf, stockSession } from '../testing/stock-session.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
const at = (...names: string[]) => join(world.root, ...names)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const ask = async (...words: readonly string[]) => {
  const ended = await coop(...words, ...common())
  expect(ended.status, ended.stderr).toBe(0)
  return Object(onlyJson(ended))
}
const exporting = (run: string, format: string, ...more: readonly string[]) =>
  ask('export', at(run), '--format', format, '--out', at(`${run}-${format}`), ...more)

const FEW = ['--shots', '2', '--test-share', '0.3']

beforeAll(async () => {
  world = await tinyWorld()
  await cp(at('photos', 'blue'), at('photos', 'été bleu'), { recursive: true })
  const learn = (method: string, ...more: string[]) =>
    ask('train', world.photos, '--out', at(method), '--method', method, ...FEW, '--model', world.model, ...more)
  await learn('class-mean')
  await learn('linear-probe', '--set', 'C=1')
  await learn('cocoop', '--epochs', '1', '--views', '1')
})
afterAll(() => world.remove())

describe('coop-ts export', () => {
  it('onnx: stock ONNX Runtime gives what openRun gives', async () => {
    for (const run of ['class-mean', 'linear-probe']) {
      const { files } = await exporting(run, 'onnx')
      expect(files).toEqual({ 'model.onnx': expect.any(Number) })
      const file = new Uint8Array(await readFile(at(`${run}-onnx`, 'model.onnx')))
      const metadata = metadataOf(file)
      expect(metadata.get('labels')).toEqual(['blue', 'green', 'red', 'été bleu'])
      expect(metadata.get('method')).toMatchObject({ name: run })
      const open = await openRun(at(run))
      const picture = { width: 8, height: 8, data: Uint8Array.from({ length: 192 }, (_, i) => (i * 37) % 256) }
      const [labels = []] = await open.classify([picture]).finally(() => open.dispose())
      // of the size that the model takes: nothing is resized
      const pixels = floatTensor([1, 3, 8, 8])
      const { mean, std } = Object(metadata.get('preprocessing'))
      for (let i = 0; i < 192; i++)
        pixels.data[(i % 3) * 64 + Math.floor(i / 3)] = ((picture.data[i] ?? 0) / 255 - mean[i % 3]) / std[i % 3]
      const { probabilities } = await (await stockSession(file)).run(pixels)
      for (const [c, name] of open.classNames.entries()) {
        expect(probabilities[c]).toBeCloseTo(labels.find(({ label }) => label === name)?.probability ?? -1, 5)
      }
    }
  })

  it('onnx-int8 and float16: what rounding costs on the test pictures, in the output and in the file', async () => {
    const loss = {
      pictures: 12,
      accuracy: {
        float32: expect.closeTo((await ask('evaluate', at('class-mean'), world.photos)).accuracy, 6),
        rounded: expect.any(Number),
      },
      agreement: expect.any(Number),
      difference: expect.any(Number),
    }
    const given = await exporting('class-mean', 'onnx-int8', '--data', world.photos)
    expect(given.loss).toEqual(loss)
    expect(metadataOf(await readFile(at('class-mean-onnx-int8', 'model.onnx'))).get('loss')).toEqual(given.loss)
    expect(given.loss.difference).toBeGreaterThan(0)
    expect(given.loss.difference).toBeLessThan(0.1)
    expect(given.loss.agreement).toBeGreaterThan(0.5)
    // the place of the data set is in the run
    expect((await exporting('linear-probe', 'transformers', '--float16')).loss).toMatchObject({ pictures: 12 })
  })

  it('says that nothing was measured where the pictures are not there', async () => {
    await cp(at('class-mean'), at('lonely'), { recursive: true })
    const results = at('lonely', 'results.json')
    const moved = (await readFile(results, 'utf8')).replace(world.photos, at('nowhere'))
    await writeFile(results, moved.replace(/"sha256": "\w+"/, '"sha256": null').replace(/,\s*"sha256": null/, ''))
    const ended = await coop(
      'export',
      at('lonely'),
      '--format',
      'onnx-int8',
      '--out',
      at('lonely-int8'),
      '--threads',
      '1',
    )
    expect(ended.stdout).toMatch(/not measured.*--data/)
  })

  it('transformers: the files that its pipeline looks for', async () => {
    await exporting('class-mean', 'transformers')
    const json = async (name: string) => JSON.parse(await readFile(at('class-mean-transformers', name), 'utf8'))
    expect((await readdir(at('class-mean-transformers'), { recursive: true })).sort()).toEqual([
      'config.json',
      'onnx',
      join('onnx', 'model.onnx'),
      'preprocessor_config.json',
    ])
    expect(await json('config.json')).toMatchObject({
      model_type: 'vit',
      architectures: ['ViTForImageClassification'],
      id2label: { 0: 'blue', 1: 'green', 2: 'red', 3: 'été bleu' },
    })
    expect(await json('preprocessor_config.json')).toMatchObject({
      image_processor_type: 'CLIPImageProcessor',
      size: { shortest_edge: 8 },
      crop_size: { height: 8, width: 8 },
      resample: 3,
      image_std: [0.25, 0.25, 0.25],
    })
  })

  it.each([
    ['weights of another classifier', ['linear-probe', 'weights'], /linear probe.* more than one direction/],
    ['CoCoOp', ['cocoop', 'onnx'], /text tower for each picture/],
    ['a folder that holds other files', ['class-mean', 'onnx', '--out', 'photos'], /photos holds other files/],
    ['another model', ['class-mean', 'onnx', '--model', 'other-model'], /learned with another model/],
    ['float16 of int8', ['class-mean', 'onnx-int8', '--float16'], /float16.* does not go with/],
    ['no run', ['photos', 'onnx'], /is not a run folder/],
  ])('refuses %s', async (_, [run = '', format = '', ...more], message) => {
    const words = more.map((word) => (word.startsWith('--') ? word : at(word)))
    const out = more.includes('--out') ? [] : ['--out', at(`no-${run}`)]
    const ended = await coop('export', at(run), '--format', format, ...out, ...words, ...common())
    expectFailure(ended, /photos holds|float16/.test(message.source) ? 2 : 1, message)
  })

  it('refuses a format that there is none of', async () => {
    const ended = await coop('export', at('class-mean'), '--format', 'tflite', '--out', at('x'), ...common())
    expectFailure(ended, 2, /--format expects one of onnx, onnx-int8, weights, transformers/)
  })
})

describe('coop-ts import of class weights', () => {
  beforeAll(async () => {
    await exporting('class-mean', 'weights')
  })
  const importing = (file: string, out: string, ...more: readonly string[]) =>
    coop('import', file, '--out', at(out), '--model', world.model, ...more, '--json')

  it.each(['weights.safetensors', 'weights.npy'])('%s: a run as good as the one exported', async (name) => {
    const ended = await importing(at('class-mean-weights', name), `from-${name}`)
    expect(ended.status, ended.stderr).toBe(0)
    const { accuracy, perClass } = await ask('evaluate', at('class-mean'), world.photos)
    expect(await ask('evaluate', at(`from-${name}`), world.photos)).toMatchObject({ accuracy, perClass })
    const [then, now] = await Promise.all([openRun(at('class-mean')), openRun(at(`from-${name}`))])
    const picture = at('photos', 'red', '1.png')
    const [[before = []], [after = []]] = [await then.classify([picture]), await now.classify([picture])]
    expect(after.map(({ label }) => label)).toEqual(before.map(({ label }) => label))
    for (const [i, { probability }] of after.entries()) expect(probability).toBeCloseTo(before[i]?.probability ?? -1, 6)
    await Promise.all([then.dispose(), now.dispose()])
    // and can be exported again
    await exporting(`from-${name}`, 'weights')
    const again = readFile(at(`from-${name}-weights`, 'labels.json'), 'utf8')
    expect(await again).toBe(await readFile(at('class-mean-weights', 'labels.json'), 'utf8'))
  })

  it('says logit scale, model and preprocessing beside the numbers', async () => {
    const about = JSON.parse(await readFile(at('class-mean-weights', 'weights.json'), 'utf8'))
    expect(about).toMatchObject({ logit_scale: expect.closeTo(10, 4), method: 'class-mean', exif: 'turn' })
    expect(about.model.fingerprint).toMatch(/^[0-9a-f]{64}$/)
  })

  it('takes a matrix of any program, with names from a file', async () => {
    const weights = floatTensor(
      [2, 10],
      Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
    )
    await writeFile(at('some.npy'), writeNpy(weights))
    await writeFile(at('names.txt'), 'one\ntwo\n')
    expectFailure(await importing(at('some.npy'), 'some'), 2, /does not say which classes/)
    const ended = await importing(at('some.npy'), 'some', '--classes', at('names.txt'))
    expect(onlyJson(ended)).toMatchObject({ classNames: ['one', 'two'] })
  })

  it.each([
    ['another number of names', [2, 10], ['one'], /2 rows for 1 class name/],
    ['one class', [1, 10], ['one'], /only one class/],
    ['another width', [2, 7], ['one', 'two'], /2 rows of 7 values/],
    ['zeros', [2, 10], ['one', 'two'], /row 2 is no direction/],
  ])('refuses %s', async (what, shape, names, message) => {
    const weights = floatTensor(shape)
    weights.data.fill(1, 0, what === 'zeros' ? 10 : undefined)
    await writeFile(at('bad.npy'), writeNpy(weights))
    await writeFile(at('names.json'), JSON.stringify(names))
    expectFailure(await importing(at('bad.npy'), 'bad', '--classes', at('names.json')), 1, message)
  })

  it('refuses weights of another model, and what learned a run', async () => {
    const [file, learned] = [at('class-mean-weights', 'weights.safetensors'), at('class-mean', 'learned.safetensors')]
    const ended = await coop('import', file, '--out', at('other'), '--model', world.otherModel, '--json')
    expectFailure(ended, 1, /class weights for another model/)
    expectFailure(await importing(learned, 'other'), 1, /belongs to a run/)
  })
})
