import { chmod, copyFile, cp, mkdir, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { damagedConfig, damagedWeights, withHeader } from '../testing/damage.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
  await coop(...trainWords(world.photos, 'finished'))
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const trainWords = (dir: string, run: string, ...more: readonly string[]) => {
  const settings = ['--model', world.model, '--shots', '2', '--epochs', '3', '--context-length', '2']
  return ['train', dir, ...settings, ...common(), '--out', at(run), ...more]
}
const classifyWords = (run: string, ...more: readonly string[]) => ['classify', at(run), ...more, ...common()]
const filesOf = (run: string) => readdir(at(run)).then((names) => names.sort())

describe('a model', () => {
  const expectRefused = async (model: string, message: RegExp) =>
    expectFailure(await coop('zero-shot', world.photos, '--model', model, ...common()), 1, message)

  it.each([0, 7, 8, 50, 5000, 20_000, -1])('whose weights are cut at byte %d', async (length) => {
    const cut = await damagedWeights(world.model, at(`cut${length}`), (bytes) => bytes.subarray(0, length))
    await expectRefused(cut, /open_clip_model\.safetensors is not a valid safetensors file: /)
  })

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    [
      'a header longer than the file',
      (b) => Buffer.concat([Buffer.alloc(8, '\0\0\x10'), b.subarray(8)]),
      /header of \d+/,
    ],
    ['a header of 2^64 bytes', (b) => Buffer.concat([Buffer.alloc(8, 255), b.subarray(8)]), /limit 100 MB/],
    ['offsets outside the file', withHeader((h, names) => shift(h[names.at(-1) ?? ''], 1e6)), /after the end/],
    ['tensors that overlap', withHeader((h, [, second]) => shift(h[second], -4)), /overlaps/],
    ['negative offsets', withHeader((h, [first]) => shift(h[first], -4)), /data_offsets/],
    ['an unknown type', withHeader((h, [first]) => Object.assign(h[first] ?? {}, { dtype: 'F7' })), /dtype "F7"/],
    [
      'integers as weights',
      withHeader((h, [first]) => Object.assign(h[first] ?? {}, { dtype: 'I32' })),
      /of a type that is not supported.*\n.*ln_final\.bias: I32/,
    ],
    [
      'a tensor missing',
      withHeader((h, [first]) => renameKey(h, first, 'stray')),
      /missing \(1\)(.|\n)*unexpected \(1\)/,
    ],
    [
      'a misshapen tensor',
      withHeader((h) => h.text_projection?.shape.reverse()),
      /text_projection: expected \(12, 10\)/,
    ],
    ['a weight that is no number', (b) => b.fill(255, b.length - 4), /not finite numbers/],
  ])('with %s', async (title, change, message) => {
    await expectRefused(await damagedWeights(world.model, at(title), change), message)
  })

  it.each<[string, (text: string) => string, RegExp]>([
    ['a wrong type', (text) => text.replace('"layers": 2', '"layers": "2"'), /text_cfg.layers: .*expected number/],
    ['more layers than the weights', (text) => text.replace('"layers": 2', '"layers": 3'), /missing \(12\)/],
    ['a billion layers', (text) => text.replace('"layers": 2', '"layers": 1000000000'), /text_cfg.layers: Too big/],
    ['a missing part', (text) => text.replace('text_cfg', 'text'), /\(model_cfg\).*\n.*"text" is not a known key/],
    ['half a file', (text) => text.slice(0, text.length / 2), /open_clip_config\.json:\d+:\d+: not valid JSON/],
  ])('whose configuration has %s', async (title, change, message) => {
    await expectRefused(await damagedConfig(world.model, at(`config ${title}`), change), message)
  })

  it('that is not there, a file, or no model', async () => {
    await expectRefused(at('nowhere'), /no such folder/)
    await expectRefused(join(world.photos, 'red', '1.png'), /1.png is not a torch file/)
    await expectRefused(world.photos, /contains no CLIP model/)
  })
})

describe('a folder of images', () => {
  const copyOfPhotos = async (name: string, change: (folder: string) => Promise<unknown>) => {
    await cp(world.photos, at(name), { recursive: true })
    await change(at(name))
    return at(name)
  }
  const red = (folder: string, name = '') => join(folder, 'red', name)

  const emptied = (dir: string, ...names: readonly string[]) =>
    Promise.all(names.map((name) => rm(join(dir, name), { recursive: true }).then(() => mkdir(join(dir, name)))))

  it.each<[string, number, (folder: string) => Promise<unknown>, RegExp]>([
    [
      'empty class folders and one with pictures',
      1,
      (dir) => emptied(dir, 'blue', 'green'),
      /only one class with pictures, "red"; left out: 2 class folders without pictures \(blue, green\)/,
    ],
    ['two names for one class', 1, (dir) => twice(dir, 'a_b', 'a b'), /duplicate class names: "a b" and "a_b"/],
    ['two spellings of one class', 1, (dir) => twice(dir, 'r&d', 'r&amp;d'), /duplicate class names/],
    ['a class name too long', 1, (dir) => rename(red(dir), join(dir, 'dog '.repeat(30))), /is too long: its 31 tokens/],
    ['a class name without words', 1, (dir) => rename(red(dir), join(dir, '___')), /"___" has no words/],
    ['all images of a class damaged', 1, (dir) => damageAll(red(dir)), /red.* cannot be read as a picture/],
    ['a train folder beside others', 1, (dir) => trainBeside(dir), /has train\/ but no test\/, and 1 other folder/],
  ])('with %s', async (title, status, change, message) => {
    const dir = await copyOfPhotos(title, change)
    expectFailure(await coop(...trainWords(dir, `run ${title}`)), status, message)
    expect(await filesOf(`run ${title}`).catch(() => [])).toEqual([])
  })

  it('with names too long, without words or the same is refused by zero-shot as well', async () => {
    for (const title of ['a class name too long', 'a class name without words', 'two spellings of one class']) {
      const ended = await coop('zero-shot', at(title), '--model', world.model, ...common())
      expectFailure(ended, 1, /too long|no words|duplicate/)
    }
  })

  it('of one class only, without classes, or none at all', async () => {
    await cp(red(world.photos), at('one/red'), { recursive: true })
    expectFailure(await coop(...trainWords(at('one'), 'x')), 1, /has only one class, "red"/)
    expectFailure(await coop(...trainWords(red(world.photos), 'x')), 1, /holds 10 images but no class folders/)
    expectFailure(await coop(...trainWords(at('nowhere'), 'x')), 1, /no such folder/)
    expectFailure(await coop(...trainWords(red(world.photos, '1.png'), 'x')), 1, /is neither a folder nor a list/)
  })

  it.each<[string, (file: string) => Promise<unknown>]>([
    ['empty', (file) => truncate(file, 0)],
    ['cut short', (file) => truncate(file, 60)],
    ['a text', (file) => writeFile(file, 'not a picture')],
  ])('with an image that is %s: named, and left out where asked', async (title, damage) => {
    // all pictures but one of each class are training images of 4 shots, or test images
    const dir = await copyOfPhotos(`image ${title}`, async (folder) => {
      for (const name of ['0.png', '1.png', '2.png']) await damage(red(folder, name))
    })
    const words = ['zero-shot', dir, '--model', world.model, ...common()]
    const refused = await coop(...words)
    expectFailure(refused, 1, /red\/\d\.png cannot be read as a picture/)
    expect(refused.stderr).toContain('--skip-bad-images')
    const skipped = await coop(...words, '--skip-bad-images')
    expect(skipped.stderr).toMatch(/warning: left out: .*red\/\d\.png cannot be read as a picture/)
    expect(onlyJson(skipped)).toMatchObject({ perClass: { blue: expect.any(Number), green: expect.any(Number) } })
    expect(skipped.status).toBe(0)
  })

  it('without test images is refused where it is to be measured', async () => {
    const dir = await copyOfPhotos('one image each', async (folder) => {
      for (const name of ['blue', 'green', 'red']) await keepOne(join(folder, name))
    })
    const ended = await coop('zero-shot', dir, '--test-share', '0.3', '--model', world.model, ...common())
    expectFailure(ended, 1, /one image each has no test images/)
    expect(ended.stderr).toMatch(/testShare \(--test-share\): 0.3, or 1 for all pictures/)
    expect((await coop('zero-shot', dir, '--model', world.model, ...common())).status).toBe(0)
  })

  it('of which no training image of a class can be read is refused even so', async () => {
    const ended = await coop(...trainWords(at('all images of a class damaged'), 'x', '--skip-bad-images'))
    expectFailure(ended, 1, /none of the training images .* for the class red/)
  })
})

describe('a cache that cannot be written', () => {
  it('is named in a warning, and the features are computed', async () => {
    const words = ['zero-shot', world.photos, '--model', world.model, '--threads', '1', '--json']
    const ended = await coop(...words, '--cache', join(world.photos, 'red', '1.png'))
    expect(ended.stderr).toMatch(/warning: image features are not cached: cannot write .*1\.png/)
    expect(onlyJson(ended)).toMatchObject({ accuracy: expect.any(Number) })
  })
})

describe('a run', () => {
  const image = () => join(world.photos, 'red', '1.png')

  it('that diverges leaves no prompt', async () => {
    const ended = await coop(...trainWords(world.photos, 'diverged', '--lr', '1e30', '--epochs', '9'))
    expectFailure(ended, 1, /training failed: .*step \d+ .*learning rate/)
    expect(await filesOf('diverged')).toEqual(['metrics.jsonl', 'settings.json'])
    expectFailure(await coop(...classifyWords('diverged', image())), 1, /is not finished/)
  })

  it('that is there is kept unless the caller says otherwise', async () => {
    expectFailure(await coop(...trainWords(world.photos, 'finished')), 2, /there is already a run in/)
    const other = await coop(...trainWords(world.photos, 'finished', '--resume', '--shots', '3', '--lr', '0.1'))
    expectFailure(other, 2, /other settings:\n {2}learningRate: 0.002 then, 0.1 now\n {2}shots: 2 then, 3 now$/)
    expect((await coop(...trainWords(world.photos, 'finished', '--resume'))).status).toBe(0)
    expect((await coop(...trainWords(world.photos, 'finished', '--force'))).status).toBe(0)
  })

  it('cannot be written into a file, nor where permission is denied', async () => {
    const file = join('photos', 'red', '1.png')
    expectFailure(await coop(...trainWords(world.photos, file)), 1, /cannot write into .*1\.png is a file/)
    expectFailure(await coop(...trainWords(world.photos, join(file, 'run'))), 1, /1\.png is a file/)
    if (process.getuid?.() === 0) return // to root nothing is denied
    await mkdir(at('locked'))
    await chmod(at('locked'), 0o555)
    expectFailure(await coop(...trainWords(world.photos, 'locked/run')), 1, /permission denied/)
  })

  it('goes with its own model and classes only', async () => {
    const other = await coop(...classifyWords('finished', image(), '--model', world.otherModel))
    expectFailure(other, 1, /the prompt of .*finished was learned with another model/)
    await cp(join(world.photos, 'red'), join(at('zoo'), 'zebra'), { recursive: true })
    await cp(join(world.photos, 'red'), join(at('zoo'), 'red'), { recursive: true })
    const asked = ['evaluate', at('finished'), at('zoo'), '--test-share', '1']
    expectFailure(await coop(...asked, ...common()), 2, /did not learn: zebra/)
  })

  it('that is damaged, missing, or whose model has moved', async () => {
    const copy = async (name: string, change: (folder: string) => Promise<unknown>) => {
      await cp(at('finished'), at(name), { recursive: true })
      await change(at(name))
      return coop(...classifyWords(name, image()))
    }
    const learned = (run: string) => join(run, 'learned.safetensors')
    const cut = await copy('cut', (run) => truncate(learned(run), 300))
    expectFailure(cut, 1, /cut\/learned\.safetensors is not a valid safetensors file/)
    const weights = join(world.model, 'open_clip_model.safetensors')
    const other = await copy('weights', (run) => copyFile(weights, learned(run)))
    expectFailure(other, 1, /contains nothing that a method learned/)
    const old = await copy('of before', (run) => rename(learned(run), join(run, 'prompt.safetensors')))
    expectFailure(old, 1, /is from an earlier version of coop/)
    await cp(world.model, at('gone'), { recursive: true })
    const words = ['--method', 'class-mean', '--shots', '1', '--model', at('gone'), '--out', at('moved')]
    expect((await coop('train', world.photos, ...words, ...common())).status).toBe(0)
    await rm(at('gone'), { recursive: true })
    expectFailure(await coop(...classifyWords('moved', image())), 2, /is no longer in .*gone/)
    expectFailure(await coop(...classifyWords('nowhere', image())), 1, /is not a run folder/)
  })

  it('says which image it cannot read', async () => {
    expectFailure(await coop(...classifyWords('finished', at('no.png'))), 1, /cannot read .*no\.png: no such file/)
  })
})

function shift(entry: { data_offsets: [number, number] } | undefined, by: number): void {
  if (entry) entry.data_offsets = [entry.data_offsets[0] + by, entry.data_offsets[1] + by]
}

function renameKey(header: Record<string, unknown>, from: string, to: string): void {
  header[to] = header[from]
  delete header[from]
}

async function keepOne(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).slice(1)) await rm(join(folder, name))
}

async function twice(dir: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) await cp(join(dir, 'red'), join(dir, name), { recursive: true })
}

async function damageAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await writeFile(join(folder, name), `not a picture, ${name}`)
}

async function trainBeside(dir: string): Promise<void> {
  await mkdir(join(dir, 'train'))
  for (const name of ['blue', 'green']) await rename(join(dir, name), join(dir, 'train', name))
}

describe('names that would do something to a terminal', () => {
  const NASTY = { 'cat\u001b[31m': 'red', 'dog\u202egnp\nx': 'blue' }
  const UNSEEN = /[^\P{C}\n\t]/u
  const write = async () => {
    const names = Object.entries(NASTY)
    const rows = names.flatMap(([name, folder]) =>
      Array.from({ length: 6 }, (_, i) => ({
        path: `photos/${folder}/${i}.png`,
        label: name,
        split: i < 4 ? 'train' : 'test',
      })),
    )
    await writeFile(at('nasty.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
    return at('nasty.jsonl')
  }

  it('are written out, in text, in JSON and in refusals', async () => {
    const words = ['zero-shot', await write(), '--model', world.model, '--threads', '1', '--cache', at('cache')]
    const text = await coop(...words)
    expect(text).toMatchObject({ status: 0 })
    expect(text.stdout).toMatch(/^cat\\u001b\[31m +\d/m)
    expect(text.stdout).toMatch(/^dog\\u202egnp\\nx +\d/m)
    const json = await coop(...words, '--json')
    expect(Object.keys(Object.assign({ perClass: {} }, onlyJson(json)).perClass).sort()).toEqual(
      Object.keys(NASTY).sort(),
    )
    const refused = await coop('zero-shot', 'no\u001b[2J\u202efolder', '--json')
    expectFailure(refused, 1, /no such folder|no file|cannot/)
    for (const { stdout, stderr } of [text, json, refused]) expect(stdout + stderr).not.toMatch(UNSEEN)
  })
})
