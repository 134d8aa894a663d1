import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeNpy } from '../formats/npy.ts'
import { openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { dims, type FloatTensor, floatTensor, type IntTensor, intTensor } from '../graph/tensor.ts'
import { fileSource } from '../node/files.ts'
import { encodePng } from '../node/image.ts'
import { coop, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { evaluateRun } from './evaluate.ts'
import { type DataFeatures, featuresOfData, writeFeatures } from './features.ts'
import { openRun } from './open-run.ts'
import { sweep } from './sweep/sweep.ts'
import { type TrainOptions, train } from './train.ts'

let world: TinyWorld
let found: DataFeatures
beforeAll(async () => {
  world = await tinyWorld()
  found = await featuresOfData(world.photos, { model: world.model, cache: at('cache'), threads: 1 })
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const options = (out: string, changes: TrainOptions = {}): TrainOptions => ({
  ...{ model: world.model, cache: at('cache'), threads: 1, method: 'class-mean', out: at('runs', out) },
  ...changes,
})
const embed = () => found.features.shape[1] ?? 0
/** Features of two classes that nobody could mix up: the first axis, and the second. */
const simple = (): FloatTensor => {
  const x = floatTensor([8, embed()])
  for (let i = 0; i < 8; i++) x.data[i * embed() + (i % 2)] = 1 + i / 100
  return x
}
const LABELS = [0, 1, 0, 1, 0, 1, 0, 1]
const metadata = { classNames: JSON.stringify(['cat', 'dog']) }
const tensorFile = (x: FloatTensor, labels: readonly number[] = LABELS, about: Record<string, string> = metadata) =>
  writeSafetensors(
    new Map<string, FloatTensor | IntTensor>([
      ['features', x],
      ['labels', intTensor([labels.length], labels)],
    ]),
    about,
  )
const refused = async (file: string, changes: TrainOptions = {}) =>
  train(file, options('refused', changes)).then(
    () => 'accepted',
    (error: Error) => error.message,
  )

describe('features of a folder', () => {
  it.each(['safetensors', 'parquet', 'jsonl', 'csv', 'npy'])('as %s are read again as they were', async (ending) => {
    const file = at('out', `photos.${ending}`)
    await writeFeatures(file, found)
    const again = await featuresOfData(file, { model: world.model, threads: 1 })
    expect(again.features.data).toEqual(found.features.data)
    expect(again).toMatchObject({ files: found.files, splits: found.splits, classNames: found.classNames })
    expect(again.labels).toEqual(found.labels)
    expect(found.files.slice(0, 2).every((name) => /^(blue|green|red)\/\d\.png$/.test(name))).toBe(true)
  })

  it.each(['safetensors', 'npy'])('as %s take half the room in float16, each within a thousandth', async (ending) => {
    const [whole, half] = [at('out', `whole.${ending}`), at('out', `half.${ending}`)]
    await writeFeatures(whole, found)
    await writeFeatures(half, found, { dtype: 'float16' })
    const sizes = await Promise.all([whole, half].map(async (file) => (await stat(file)).size))
    expect((sizes[0] ?? 0) - (sizes[1] ?? 0)).toBeGreaterThan(1.9 * found.features.data.length)
    const again = await featuresOfData(half, { model: world.model, threads: 1 })
    for (const [i, value] of again.features.data.entries()) {
      const wanted = found.features.data[i] ?? Number.NaN
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(Math.abs(wanted) / 1000 + 1e-7)
    }
    await expect(writeFeatures(at('out', 'half.csv'), found, { dtype: 'float16' })).rejects.toThrow(
      /half\.csv cannot have values in float16/,
    )
  })

  it('teach what the pictures teach', async () => {
    const file = at('out', 'same.safetensors')
    await writeFeatures(file, found)
    const [a, b] = [await train(world.photos, options('pictures')), await train(file, options('features'))]
    const worth = ({ accuracy, perClass, confusion, zeroShot, tested }: typeof a) => [
      ...[accuracy, perClass, confusion, zeroShot, tested],
    ]
    expect(worth(b)).toEqual(worth(a))
    expect(b.views).toBe(0)
    const [one, other] = [await openRun(a.run), await openRun(b.run)]
    const picture = join(world.photos, 'red', '1.png')
    const [[ofFeatures], [ofPictures]] = [await other.classify([picture]), await one.classify([picture])]
    // in another order other pictures are in a fold, from which the temperature follows
    for (const [i, { label, probability }] of (ofPictures ?? []).entries()) {
      expect(ofFeatures?.[i]?.label).toBe(label)
      expect(ofFeatures?.[i]?.probability).toBeCloseTo(probability, 3)
    }
    await Promise.all([one.dispose(), other.dispose()])
    const ofAll = await evaluateRun(b.run, world.photos, { cache: at('cache'), testShare: 1 })
    expect(await evaluateRun(a.run, file, { testShare: 1 })).toEqual(ofAll)
    expect(ofAll.tested).toBe(found.files.length)
  })

  it('teach a prompt, and a method that learns from views, from one view', async () => {
    const file = at('out', 'same.parquet')
    await writeFeatures(file, found)
    for (const method of ['coop', 'tip-adapter']) {
      const settings = method === 'coop' ? { M: 2, epochs: 2 } : {}
      const result = await train(file, options(`views-${method}`, { method, settings, shots: 2 }))
      expect(result).toMatchObject({ views: 0, trained: 6 })
    }
  })

  it('are a data set of sweeps, without views', async () => {
    await writeFeatures(at('out', 'swept.npy'), found)
    const plan = (views: string) =>
      `datasets: out/swept.npy\nmodels: model\nmethods: [zero-shot, tip-adapter]\nshots: 1\nseeds: 1\n${views}`
    await writeFile(at('plan.yaml'), plan(''))
    const given = { out: at('swept'), cache: at('cache'), threads: 1 }
    await expect(sweep(at('plan.yaml'), given)).rejects.toThrow(/has features: no augmented views can be made/)
    await writeFile(at('plan.yaml'), plan('views: 0\n'))
    expect(await sweep(at('plan.yaml'), given)).toMatchObject({ finished: 2, failed: [] })
  })

  it('without classes have no labels', async () => {
    await mkdir(at('alone'))
    for (const name of ['=1+1.png', 'a,"b".png']) {
      await writeFile(at('alone', name), await encodePng({ width: 4, height: 4, data: new Uint8Array(48).fill(9) }))
    }
    const words = ['features', at('alone'), '-o', at('out', 'alone.csv'), '--model', world.model, '--threads', '1']
    expect(onlyJson(await coop(...words, '--quiet', '--json'))).toMatchObject({ pictures: 2, classes: 0 })
    const [head, first, second] = (await readFile(at('out', 'alone.csv'), 'utf8')).split('\n')
    expect(head?.startsWith('file,feature_0,feature_1,')).toBe(true)
    expect(first?.startsWith('=1+1.png,')).toBe(true)
    expect(second?.startsWith('"a,""b"".png",')).toBe(true)
  })

  it('are not written over what is read, nor into a file of another kind', async () => {
    const words = (out: string) => ['features', at('out', 'photos.csv'), '--out', out, '--model', world.model]
    expect((await coop(...words(at('out', 'photos.csv')))).stderr).toMatch(/it is not overwritten/)
    expect((await coop(...words(at('out', 'photos.txt')))).stderr).toMatch(/its ending says the format: \.csv, /)
  })
})

describe('features of others', () => {
  it.each<[string, (file: string) => Promise<void>]>([
    ['one.safetensors', (file) => writeFile(file, tensorFile(simple()))],
    [
      'two.npy',
      async (file) => {
        await writeFile(file, writeNpy(simple()))
        await writeFile(
          file.replace('.npy', '.labels.csv'),
          `label\n${LABELS.map((c) => ['cat', 'dog'][c]).join('\n')}\n`,
        )
      },
    ],
    [
      'three.csv',
      async (file) => {
        const x = simple()
        const rows = LABELS.map((c, i) => [`"${['cat', 'dog'][c]}"`, ...x.data.slice(i * embed(), (i + 1) * embed())])
        const head = ['Label', ...Array.from({ length: embed() }, (_, i) => `feature_${i}`)]
        await writeFile(file, [head, ...rows].map((cells) => cells.join(',')).join('\r\n'))
      },
    ],
    [
      'four.jsonl',
      async (file) => {
        const x = simple()
        const rows = LABELS.map((c, i) => ({
          label: ['cat', 'dog'][c],
          embedding: [...x.data.slice(i * embed(), (i + 1) * embed())],
        }))
        await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'))
      },
    ],
  ])('%s: an array, labels and names', async (name, write) => {
    await write(at(name))
    const result = await train(at(name), options(name))
    expect(result).toMatchObject({ classes: 2, accuracy: 1, classNames: ['cat', 'dog'] })
  })

  it('are refused with the place and the reason', async () => {
    const x = simple()
    const bad = { ...x, data: x.data.slice() }
    bad.data[3 * embed() + 2] = Number.NaN
    await writeFile(at('nan.safetensors'), tensorFile(bad))
    expect(await refused(at('nan.safetensors'))).toMatch(/nan\.safetensors, row 4: value 3 of its features is NaN/)
    await writeFile(at('narrow.safetensors'), tensorFile(floatTensor([8, 3], new Float32Array(24).fill(1))))
    expect(await refused(at('narrow.safetensors'))).toMatch(/are 3 wide .* this model's are \d+/)
    await writeFile(at('few.safetensors'), tensorFile(x, [0, 1]))
    expect(await refused(at('few.safetensors'))).toMatch(/features of 8 images, but 2 of "label"/)
    await writeFile(at('strange.safetensors'), tensorFile(x, [0, 1, 0, 1, 0, 1, 0, 7]))
    expect(await refused(at('strange.safetensors'))).toMatch(/label 7 is outside 0 to 1/)
    await writeFile(at('none.safetensors'), tensorFile(x, [0, 1, 0, -1, 0, 1, 0, 1]))
    expect(await refused(at('none.safetensors'))).toMatch(/row 4 has no label/)
    await writeFile(at('bare.npy'), writeNpy(x))
    expect(await refused(at('bare.npy'))).toMatch(/has no labels: they are looked for in .*bare\.labels\.csv/)
    await writeFile(at('ragged.jsonl'), '{"label":"a","features":[1,2]}\n{"label":"b","features":[1]}\n')
    expect(await refused(at('ragged.jsonl'))).toMatch(/ragged\.jsonl:2 has 1 features, but .*:1 has 2/)
    await writeFile(at('gap.csv'), 'label,feature_0,feature_2\na,1,2\n')
    expect(await refused(at('gap.csv'))).toMatch(/not numbered one after the other: 1 is missing/)
    await writeFile(at('unlabelled.csv'), 'file,feature_0,feature_1\na.png,1,2\n')
    expect(await refused(at('unlabelled.csv'))).toMatch(/features without labels: file is all it has/)
  })

  it('of another model are refused by its name', async () => {
    const file = at('out', 'own.safetensors')
    await writeFeatures(file, found)
    const other = await refused(file, { model: world.otherModel })
    expect(other).toMatch(/are of another model, .*model with fingerprint [0-9a-f]{12}/)
    const [n] = dims(found.features, 2)
    const written = await openSafetensors(await fileSource(file))
    expect(written.entries.get('features')?.shape).toEqual([n, embed()])
  })
})
