import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METHODS } from '../methods/index.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld(40)
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const json = async (...path: readonly string[]) => JSON.parse(await readFile(at(...path), 'utf8'))

/** A folder of classes with so many pictures each. */
async function classes(name: string, counts: readonly number[]): Promise<string> {
  for (const [i, count] of counts.entries()) {
    const from = join(world.photos, ['blue', 'green', 'red'][i % 3] ?? 'red')
    await mkdir(at(name, `class ${i}`), { recursive: true })
    for (const file of (await readdir(from)).sort().slice(0, count)) {
      await cp(join(from, file), at(name, `class ${i}`, file))
    }
  }
  return at(name)
}

const shared = () => ['--model', world.model, '--threads', '1', '--cache', at('cache')]
const train = (data: string, run: string, ...words: readonly string[]) =>
  coop('train', data, '--out', at(run), '--views', '0', '--json', ...shared(), ...words)
const QUICK = ['--epochs', '2', '--context-length', '2']

describe('a folder with a few pictures of each class', () => {
  it.each([
    [3, 16, 8],
    [7, 40, 16],
    [40, 224, 96],
  ])('with %i of eight classes and one of another gives a classifier', async (n, trained, tested) => {
    const data = await classes(`photos-${n}`, [...Array(8).fill(n), 1])
    const ended = await train(data, `run-${n}`, '--test-share', '0.3', ...QUICK)
    expect(ended.stderr).toMatch(/no test images of class 8$/m)
    expect(onlyJson(ended)).toMatchObject({
      ...{ shots: 'all', classes: 9, trained: trained + 1, tested, chance: 1 / 8 },
      ...{ accuracy: expect.any(Number), interval: [expect.any(Number), expect.any(Number)] },
    })
    // the epochs of two shots, which the classes have in the mean
    if (n === 3)
      expect(onlyJson(await train(data, 'own-epochs', '--context-length', '2', '--test-share', '0.3'))).toMatchObject({
        facts: { epochs: 100 },
      })
  })

  it('is learned by the usual method, and by CoOp where a flag or setting of it is given, which is said', async () => {
    const data = await classes('usual', [4, 4])
    const methodOf = async (...words: readonly string[]) => {
      const ended = await train(data, `usual-${words.join('-').replaceAll(/\W/g, '')}`, ...words)
      return [Object(onlyJson(ended)).method, ended.stderr.match(/.*which is taken.*/)?.[0]]
    }
    expect(await methodOf()).toEqual(['best', undefined])
    expect(await methodOf('--template', 'the {}.')).toEqual(['best', undefined])
    const said = (what: string) =>
      expect.stringContaining(`${what} of coop, which is taken instead of best (--method coop)`)
    expect(await methodOf(...QUICK)).toEqual(['coop', said('--context-length, --epochs are settings')])
    const set = ['--set', 'M=2', '--set', 'epochs=1']
    expect(await methodOf(...set)).toEqual(['coop', said('--set M, --set epochs are settings')])
    expect(await methodOf('--method', 'coop', ...QUICK)).toEqual(['coop', undefined])
    const ended = await train(data, 'usual-learned-thrice', '--method', 'coop', ...QUICK)
    expect(ended.stderr).toMatch(
      /CoOp, end, M=2 is learned 4 times: from all training pictures, and 3 times without a part/,
    )
  })

  it('takes fewer than --shots of a class that has fewer, and says which', async () => {
    const data = await classes('unequal', [10, 4, 6])
    const ended = await train(data, 'up-to', '--shots', '7', ...QUICK)
    expect(ended.stderr).toContain('2 of 3 classes have fewer training images than 7 shots')
    expect(ended.stderr).toContain('"class 1" has 4, "class 2" has 6')
    expect(onlyJson(ended)).toMatchObject({ shots: 7, trained: 17, tested: 17 })
  })

  it('gives up images for validation only where the method chooses by them, never the test images', async () => {
    const data = await classes('chosen', [10, 10, 10])
    const imagesOf = async (run: string, ...words: readonly string[]) => {
      const { trained, tested } = Object.assign({ trained: 0, tested: 0 }, onlyJson(await train(data, run, ...words)))
      return { trained, tested, test: (await json(run, 'settings.json')).images.test }
    }
    const share = ['--test-share', '0.3']
    const whole = await imagesOf('no-val', ...QUICK, ...share)
    expect(whole).toMatchObject({ trained: 21, tested: 9 })
    expect(await imagesOf('val', '--method', 'linear-probe', ...share)).toEqual({ ...whole, trained: 15 })
    expect(await imagesOf('fixed', '--method', 'linear-probe', '--set', 'C=1', ...share)).toEqual(whole)
    // where nothing is withheld to test on, nothing is to choose by
    expect(await imagesOf('all', '--method', 'linear-probe')).toMatchObject({ trained: 30, tested: 30 })
  })

  it.each(METHODS.map(({ name }) => name))('can be learned by %s, with classes of unequal numbers', async (method) => {
    const data = at('unequal-again')
    await classes('unequal-again', [9, 2, 1, 5])
    const quick = ['cocoop', 'kgcoop', 'prograd', 'coop'].includes(method) ? QUICK : []
    for (const shots of method === 'zero-shot' ? [[]] : [[], ['--shots', '3']]) {
      const ended = await train(data, `${method}${shots.length}`, '--method', method, ...quick, ...shots)
      // the single picture of a class is not measured, but by hand-written prompts
      const tested = method === 'zero-shot' ? 17 : shots.length > 0 ? 3 + 2 + 3 : 9 + 2 + 5
      expect(onlyJson(ended)).toMatchObject({ tested, accuracy: expect.any(Number) })
    }
  })

  it('is learned from whole with --test-share 0, and nothing is then measured; with train/ alone by cross-validation', async () => {
    const data = await classes('whole', [3, 4])
    const none = { trained: 7, tested: 0, accuracy: null, zeroShot: null, chance: null, interval: null }
    expect(onlyJson(await train(data, 'whole-run', '--test-share', '0', ...QUICK))).toMatchObject(none)
    await mkdir(at('alone'))
    await rename(data, at('alone/train'))
    const words = ['train', at('alone'), '--out', at('alone-run'), ...QUICK, ...shared()]
    const { status, stdout } = await coop(...words)
    expect(status).toBe(0)
    expect(stdout).toMatch(/chance +57\.1 %\nhand-written prompt +\d+\.\d %\nlearned prompt, all images +\d+\.\d %\n/)
    expect(stdout).toMatch(
      /2 classes, learned from 7 pictures\ncross-validated on 7 pictures, each judged by a learner that had/,
    )
    expect(await json('alone-run', 'results.json')).toMatchObject({
      measured: 'cross-validated',
      trained: 7,
      tested: 7,
    })
    const unseen = await coop('evaluate', at('alone-run'), at('unequal'), '--json', ...shared())
    expectFailure(unseen, 1, /no test images, and .* withheld none of the pictures/)
    const all = await coop('zero-shot', at('alone'), '--json', ...shared())
    expect(onlyJson(all)).toMatchObject({ tested: 7, chance: 4 / 7 })
  })

  it('is evaluated and resumed with the share of test images of its run', async () => {
    const data = await classes('shared', [10, 10])
    const result = onlyJson(await train(data, 'half', '--test-share', '0.5', ...QUICK))
    const { accuracy, interval, chance, tested } = Object.assign({}, result) as Record<string, unknown>
    expect(tested).toBe(10)
    const evaluate = (...words: readonly string[]) =>
      coop('evaluate', at('half'), data, '--json', ...shared(), ...words)
    expect(onlyJson(await evaluate())).toMatchObject({ accuracy, interval, chance, tested })
    const other = await evaluate('--test-share', '0.3')
    expect(other.stderr).toMatch(/test share of 0.5, not 0.3/)
    expectFailure(await train(data, 'half', '--resume', ...QUICK), 2, /testShare: 0.5 then, 0 now/)
    const again = await train(data, 'half', '--test-share', '0.5', '--resume', ...QUICK)
    expect(onlyJson(again)).toEqual(Object.assign({}, result, { before: true }))
    const refused = await train(at('marked'), 'x').then(async () => {
      await cp(data, at('marked/train'), { recursive: true })
      await cp(data, at('marked/test'), { recursive: true })
      return train(at('marked'), 'x', '--test-share', '0.5')
    })
    expectFailure(refused, 2, /says itself which images are for testing/)
  })

  it('takes part in a sweep with all its pictures; what cannot be measured is refused there', async () => {
    const data = await classes('swept', [6, 9])
    const plan = ['models: model', 'shots: [all, 2]', 'seeds: 1', 'methods: [zero-shot, class-mean]']
    await writeFile(at('all.yaml'), ['datasets: swept', ...plan].join('\n'))
    const common = ['--threads', '1', '--cache', at('cache'), '--json']
    expect(onlyJson(await coop('sweep', at('all.yaml'), '--out', at('sweep'), ...common))).toMatchObject({
      finished: 3,
    })
    expect((await coop('report', at('sweep'))).stdout).toMatch(/^data set +method +0 +2 +all$/m)
    expect(await readFile(at('sweep/report.csv'), 'utf8')).toMatch(/^swept-class-mean-all-shot-.*,all,1,/m)
    await cp(data, at('only/train'), { recursive: true })
    await writeFile(at('none.yaml'), ['datasets: only', ...plan].join('\n'))
    const refused = await coop('sweep', at('none.yaml'), '--out', at('none'), ...common)
    expectFailure(refused, 1, /only has no test images/)
  })
})
