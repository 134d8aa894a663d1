import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ByteSource, openSafetensors } from '../formats/safetensors.ts'
import { writeSealed } from '../formats/sealed.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { METHODS } from '../methods/index.ts'
import { fileSource } from '../node/files.ts'
import { readSavedRun } from '../runs/saved-run.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
  await cp(join(world.photos, 'red'), at('zoo/fox'), { recursive: true })
  await cp(join(world.photos, 'blue'), at('zoo/whale'), { recursive: true })
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const train = (method: string, run: string, ...more: readonly string[]) => {
  // the pictures of a sweep
  const words = ['--method', method, '--shots', '2', '--test-share', '0.3', '--out', at(run), '--model', world.model]
  return coop('train', world.photos, ...words, ...more, ...common())
}
const ask = async (command: string, ...words: readonly string[]) => {
  const ended = await coop(command, ...words, ...common())
  expect(ended.status, ended.stderr).toBe(0)
  return onlyJson(ended)
}
const json = async (...path: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(...path), 'utf8'))
const FOUR = ['blue', 'green', 'red', 'yellow']
const share = expect.toSatisfy((x) => typeof x === 'number' && x >= 0 && x <= 1)

describe('coop-ts train --method', () => {
  it.each([
    ['linear-probe', ['--set', 'rounds=2'], { steps: 0, facts: { C: expect.any(Number) } }],
    [
      'tip-adapter-f',
      ['--epochs', '3', '--set', 'alpha=2', '--set', 'search=false'],
      { steps: 3, facts: { alpha: 2 } },
    ],
    ['kgcoop', ['--set', 'epochs=4', '--set', 'init=null', '--context-length', '2'], { steps: 4 }],
    ['cocoop', ['--epochs', '2', '--init', 'a photo', '--views', '1'], { steps: 12 }],
    ['class-mean', [], { steps: 0 }],
  ])('%s: a run like those of a sweep, which can be asked', async (method, more, expected) => {
    const result = onlyJson(await train(method, method, ...more))
    expect(result).toMatchObject({ method, zeroShot: share, accuracy: share, seconds: expect.any(Number), ...expected })
    const files = (await readdir(at(method))).sort()
    expect(files).toEqual(['learned.safetensors', 'metrics.jsonl', 'results.json', 'settings.json'])
    const { accuracy, zeroShot } = await json(at(method), 'results.json')
    expect(result).toMatchObject({ accuracy, zeroShot })
    expect(await ask('evaluate', at(method), world.photos)).toMatchObject({ accuracy, perClass: { red: share } })

    const image = join(world.photos, 'red', '1.png')
    const [found] = Object(await ask('classify', at(method), image)).images
    const probabilities: number[] = Object(found).labels.map((label: object) => Object(label).probability)
    expect(probabilities).toHaveLength(3)
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a))
  })

  it('coop with --set is coop with its flags', async () => {
    const words = ['train', world.photos, '--shots', '2', '--model', world.model, ...common()]
    const one = onlyJson(await coop(...words, '--context-length', '2', '--epochs', '5', '--out', at('flags')))
    const other = onlyJson(await coop(...words, '--set', 'M=2', '--set', 'epochs=5', '--out', at('set')))
    expect(Object(one).steps).toBe(5)
    expect(Object(other).settings).toEqual(Object(one).settings)
    const learned = (run: string) => readFile(join(at(run), 'learned.safetensors'))
    expect(await learned('set')).toEqual(await learned('flags'))
  })

  it('coop-ts --recipe fast: a hundred steps over all images', async () => {
    const result = onlyJson(await train('coop', 'fast', '--recipe', 'fast', '--context-length', '2'))
    const settings = { recipe: 'fast', epochs: 100, batchSize: null, learningRate: 0.02, warmup: 'linear' }
    expect(result).toMatchObject({ steps: 100, title: 'CoOp, end, M=2, fast recipe', settings })
  })

  it('zero-shot: nothing learned, the hand-written prompts that it is given are kept', async () => {
    const result = onlyJson(await train('zero-shot', 'zero', '--template', 'the {}.', '--template', 'a {}'))
    const { accuracy, zeroShot, settings, shots } = await json(at('zero'), 'results.json')
    expect({ settings, shots, zeroShot }).toEqual({
      settings: { templates: ['the {}.', 'a {}'] },
      shots: 0,
      zeroShot: accuracy,
    })
    expect(result).toMatchObject({ accuracy, zeroShot })
    expect(await ask('evaluate', at('zero'), world.photos)).toMatchObject({ accuracy })
  })

  it('--template FILE: descriptions of each class, which the run keeps', async () => {
    const file = at('descriptions.json')
    const descriptions = { Blue: ['a {} photo.', 'the small dogs'], green: ['a photo of a cat.'], red: ['a drawing.'] }
    await writeFile(file, JSON.stringify(descriptions))
    const zeroShot = ['zero-shot', world.photos, '--model', world.model, '--template', file, ...common()]
    const { accuracy } = Object(onlyJson(await coop(...zeroShot)))
    const result = onlyJson(await train('gda', 'described', '--template', file))
    expect(result).toMatchObject({ settings: { templates: descriptions }, zeroShot: accuracy })
    await rm(file)
    const picture = join(world.photos, 'red', '0.png')
    expect(await ask('classify', at('described'), picture)).toMatchObject({ images: [{}] })
  })

  it.each([
    ['missing', { blue: ['a'], green: ['b'] }, /none of the class "red"/],
    ['unknown', { blue: ['a'], green: ['b'], redd: ['c'] }, /"redd" is none of the classes \(did you mean "red"\?\)/],
    ['empty', { blue: ['a'], green: ['b'], red: [] }, /red: a list of at least one description/],
  ])(
    '--template FILE with descriptions that do not fit is refused before anything is learned: %s',
    async (name, what, message) => {
      const file = at(`${name}.yaml`)
      await writeFile(file, JSON.stringify(what))
      const refused = await train('gda', `described-${name}`, '--template', file)
      expectFailure(refused, name === 'empty' ? 1 : 2, message)
      expect(existsSync(at(`described-${name}`))).toBe(false)
      expectFailure(
        await coop('zero-shot', world.photos, '--model', world.model, '--template', file, ...common()),
        name === 'empty' ? 1 : 2,
        message,
      )
    },
  )

  it('--template is what zero-shot is measured by, also where the method has no such setting', async () => {
    const template = ['--template', 'the {}.']
    const { zeroShot } = Object(onlyJson(await train('class-mean', 'template', ...template)))
    const words = ['zero-shot', world.photos, '--model', world.model, ...template, ...common()]
    expect(onlyJson(await coop(...words))).toMatchObject({ accuracy: zeroShot })
  })

  it('goes on with --resume, begins anew with --force, and refuses other settings', async () => {
    const words = ['--set', 'epochs=3'] as const
    const first = onlyJson(await train('clip-adapter', 'again', ...words))
    expectFailure(await train('clip-adapter', 'again', ...words), 2, /there is already a run in/)
    const other = await train('clip-adapter', 'again', '--resume', '--set', 'epochs=4', '--seed', '2')
    expectFailure(other, 2, /other settings:\n {2}epochs: 3 then, 4 now\n {2}seed: 1 then, 2 now$/)
    expect(onlyJson(await train('clip-adapter', 'again', '--resume', ...words))).toMatchObject({
      accuracy: Object(first).accuracy,
      steps: 3,
    })
    expectFailure(await train('coop', 'again', '--resume'), 2, /uses the method clip-adapter, not coop/)
    expect((await train('coop', 'again', '--force', '--epochs', '2', '--context-length', '2')).status).toBe(0)
    expect((await readSavedRun(at('again'))).method.name).toBe('coop')
    expect((await train('linear-probe', 'again', '--force')).status).toBe(0)
    expect((await readSavedRun(at('again'))).tensors.has('ctx')).toBe(false)
  })

  it.each([
    ['tipadapter', [], /no method "tipadapter" \(did you mean "tip-adapter"\?\)/],
    ['cocoop', ['--set', 'positon=end'], /cocoop has no setting "positon" \(did you mean "position"\?\)/],
    [
      'cocoop',
      ['--set', 'M=four', '--set', 'weigth=1'],
      /--set M: expected a whole number from 1 to 1000, received "four"\n--set weigth: /,
    ],
    [
      'tip-adapter',
      ['--position', 'end', '--class-specific'],
      /^--position, --class-specific: the method tip-adapter has/,
    ],
    ['kgcoop', ['--warmup', 'linear'], /^--warmup: the method kgcoop has no such setting/],
    ['kgcoop', ['--set', 'M=3', '--context-length', '4'], /given twice: --set M/],
    ['coop', ['--set', 'M=3', '--set', 'M=4'], /given twice: --set M/],
    ['coop', ['--set', 'M=*nowhere'], /--set M: "\*nowhere" is not a valid value: the alias \*nowhere has no anchor/],
    ['coop', ['--set', '__proto__=4'], /--set __proto__: the method coop has no setting/],
    [
      'coop',
      ['--set', 'epochScale=1e300'],
      /--set epochScale: expected a number above 0, up to 1000, received 1e\+300/,
    ],
    ['coop', ['--views', '1e9'], /--views expects a whole number from 0 to 1000, or online, received "1e9"/],
    ['coop', ['--batch-size', '1e9'], /--batch-size expects no more than 1000000, received "1e9"/],
    [
      'tip-adapter',
      ['--set', 'alphaSteps=100000'],
      /--set alphaSteps: expected a whole number from 1 to 500, received 100000/,
    ],
    ['coop', ['--set', 'M=[3, 4]'], /--set M: expected a whole number from 1 to 1000, received \[3,4\]/],
    ['coop', ['--set', 'weight=3'], /coop has no setting "weight"/],
    ['coop', ['--set', 'M'], /--set expects KEY=VALUE, received "M"/],
    ['coop', ['--set', 'M={a: 1}'], /--set M: expected a number, a word/],
    ['zero-shot', ['--set', 'templates={} texture.'], /--set templates: .* is not a valid value/],
    ['zero-shot', ['--set', 'templates=photo'], /--set templates: a prompt with \{\}/],
  ])('%s %j is refused before any work', async (method, more, message) => {
    expectFailure(await train(method, 'refused', ...more), 2, message)
    await expect(readdir(at('refused'))).rejects.toThrow()
  })

  it('says in its help what there is', async () => {
    const { stdout } = await coop('train', '--help')
    for (const { name } of METHODS) expect(stdout).toMatch(new RegExp(`^ {2}${name.replaceAll('+', '\\+')} +\\w`, 'm'))
    const { methods: listed } = Object.assign({ methods: [] }, onlyJson(await coop('methods', '--json')))
    expect(listed).toHaveLength(METHODS.length)
    expect(listed).toContainEqual(
      expect.objectContaining({
        name: 'cocoop',
        source: expect.stringContaining('CVPR 2022'),
        settings: expect.arrayContaining([{ name: 'M', default: 4 }]),
      }),
    )
    expect((await coop('methods')).stdout).toMatch(/^kgcoop: .*\n {2}--set weight=8\n/m)
  })
})

describe('a run of a sweep', () => {
  let runs: { id: string; method: string; accuracy: number; elsewhere: Record<string, number> }[]
  const runOf = (method: string, nth = 0) => {
    const found = runs.filter((run) => run.method === method)[nth]
    if (found === undefined) throw new Error(`the sweep has a run of ${method}`)
    return { ...found, folder: at(join('sweep', 'runs', found.id)) }
  }
  beforeAll(async () => {
    const plan = [
      ...['datasets: photos', 'models: model', 'shots: 2', 'seeds: 1', 'views: 2', 'elsewhere: zoo', 'methods:'],
      ...['  - zero-shot', '  - linear-probe', '  - tip-adapter', '  - { method: lp++, iterations: 20 }'],
      '  - { method: coop, M: 2, epochs: 3, classSpecific: [false, true] }',
      ...['  - { method: kgcoop, M: 3, init: null, epochs: 3 }', '  - { method: cocoop, M: 2, init: null, epochs: 1 }'],
    ]
    await writeFile(at('plan.yaml'), `${plan.join('\n')}\n`)
    await ask('sweep', at('plan.yaml'), '--out', at('sweep'))
    const ids = await readdir(at('sweep/runs'))
    runs = await Promise.all(
      ids.sort().map(async (id) => JSON.parse(await readFile(at(`sweep/runs/${id}/results.json`), 'utf8'))),
    )
    expect(runs).toHaveLength(8)
  }, 120_000)

  it('evaluated has the accuracy of its results, on its own data set and by transfer on the other', async () => {
    for (const { id, accuracy, elsewhere } of runs) {
      const folder = at(join('sweep', 'runs', id))
      expect(await ask('evaluate', folder, world.photos), id).toMatchObject({ accuracy })
      if (elsewhere.zoo === undefined) {
        const refused = await coop('evaluate', folder, at('zoo'), '--transfer', ...common())
        expectFailure(refused, 2, /learned (to distinguish its own classes|a context for each of its classes)/)
      } else {
        expect(await ask('evaluate', folder, at('zoo'), '--transfer'), id).toMatchObject({ accuracy: elsewhere.zoo })
      }
      expectFailure(await coop('evaluate', folder, at('zoo'), ...common()), 2, /did not learn: fox, whale/)
    }
    expect(
      runs
        .filter(({ elsewhere }) => elsewhere.zoo !== undefined)
        .map(({ method }) => method)
        .sort(),
    ).toEqual(['cocoop', 'coop', 'kgcoop', 'zero-shot'])
  })

  it('classifies, and has words where it learned context vectors', async () => {
    const { folder } = runOf('tip-adapter')
    const found = await ask('classify', folder, join(world.photos, 'red', '1.png'), '--top', '1')
    expect(found).toMatchObject({ images: [{ labels: [{ label: 'red', probability: share }] }] })
    const words = (run: string) => coop('words', run, '--all-tokens', '--threads', '1', '--json')
    const counts = (run: { contexts: { vectors: unknown[] }[] }) => run.contexts.map(({ vectors }) => vectors.length)
    expect(counts(Object(onlyJson(await words(runOf('kgcoop').folder))))).toEqual([3])
    const contexts = [0, 1].map(async (nth) => counts(Object(onlyJson(await words(runOf('coop', nth).folder)))))
    expect((await Promise.all(contexts)).sort()).toEqual([[2], [2, 2, 2]])
    expectFailure(await words(folder), 2, /\(Tip-Adapter\) learned no context vectors/)
  })

  it('learns what coop-ts train learns', async () => {
    const settings = ['M=3', 'init=null', 'epochs=3'].flatMap((text) => ['--set', text])
    await train('kgcoop', 'same', '--views', '2', ...settings)
    const learned = async (folder: string) => (await readSavedRun(folder)).tensors
    expect(await learned(at('same'))).toEqual(await learned(runOf('kgcoop').folder))
  })

  it('of half of the classes is measured on these', async () => {
    const plan = ['datasets: photos', 'models: model', 'shots: 2', 'seeds: 1', 'split: base', 'methods: [class-mean]']
    await writeFile(at('base.yaml'), `${plan.join('\n')}\n`)
    await ask('sweep', at('base.yaml'), '--out', at('base'))
    const [id = ''] = await readdir(at('base/runs'))
    const { accuracy, tested, chance, interval, top5, meanPerClass, confusion } = await json(
      at(`base/runs/${id}`),
      'results.json',
    )
    const ended = await coop('evaluate', at(`base/runs/${id}`), world.photos, ...common())
    expect(ended.stderr).toMatch(/learned the first half of the classes/)
    expect(onlyJson(ended)).toEqual({
      ...{ accuracy, tested, chance, interval, top5, meanPerClass, confusion },
      transforms: '2021-10',
      perClass: { blue: share, green: share },
    })
  })

  it('is not the sweep', async () => {
    expectFailure(await coop('evaluate', at('sweep'), world.photos, ...common()), 1, /is a sweep, not a run/)
  })

  it('on another model is refused, which is named', async () => {
    const other = ['--model', world.otherModel, ...common()]
    const { folder } = runOf('linear-probe')
    const message = /the classifier of .* was learned with another model, .*model with fingerprint \w+/
    expectFailure(await coop('evaluate', folder, world.photos, ...other), 1, message)
    expectFailure(
      await coop('words', runOf('kgcoop').folder, ...other.slice(0, 2), '--json'),
      1,
      /the prompt of .* another/,
    )
  })

  describe('that is damaged', () => {
    const refused = async (title: string, change: (file: string) => Promise<unknown>, message: RegExp) => {
      const folder = at(`damaged ${title}`)
      await cp(runOf('linear-probe').folder, folder, { recursive: true })
      await change(join(folder, 'learned.safetensors'))
      expectFailure(await coop('evaluate', folder, world.photos, ...common()), 1, message)
    }

    it('by cutting it short', () => refused('short', (file) => truncate(file, 200), /not a valid safetensors file/))

    it.each<[string, (about: Record<string, unknown>, tensors: Map<string, FloatTensor>) => unknown, RegExp]>([
      ['by a method that nobody knows', (about) => Object.assign(about, { method: 'magic' }), /by the method "magic"/],
      ['by another format', (about) => Object.assign(about, { format: 'x' }), /is not as expected:\n {2}format: /],
      ['by a setting', (about) => Object.assign(about, { settings: { D: 1 } }), /settings of linear-probe.*\n.*"D"/],
      ['without templates', (about) => delete about.templates, /templates: /],
      ['without a tensor', (_, tensors) => tensors.delete('weights'), /damaged .*no tensor "weights"/],
      ['of other classes', (about) => Object.assign(about, { classNames: FOUR }), /weights .* \(3, 10\), .* \(4, 10\)/],
      ['by a value that is no number', (_, tensors) => tensors.get('weights')?.data.fill(Number.NaN), /not numbers/],
    ])('%s', (title, change, message) =>
      refused(title, async (file) => writeFile(file, await changed(await fileSource(file), change)), message),
    )

    it('by the weights of a model in its place', () =>
      refused('model', (file) => cp(join(world.model, 'open_clip_model.safetensors'), file), /nothing that a method/))
  })

  async function changed(
    source: ByteSource,
    change: (about: Record<string, unknown>, tensors: Map<string, FloatTensor>) => unknown,
  ): Promise<Uint8Array> {
    const file = await openSafetensors(source)
    const about = JSON.parse(file.metadata.get('learned') ?? '')
    const tensors = new Map<string, FloatTensor>()
    for (const name of file.entries.keys()) tensors.set(name, await file.readFloat(name))
    change(about, tensors)
    return writeSealed(tensors, { learned: JSON.stringify(about) })
  }
})
