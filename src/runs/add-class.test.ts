import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METHODS } from '../methods/index.ts'
import { coop, expectFailure } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import type { Label } from '../trained/classify.ts'
import { addClass } from './add-class.ts'
import { evaluateRun } from './evaluate.ts'
import { openRun } from './open-run.ts'
import { type TrainOptions, train } from './train.ts'

let world: TinyWorld
/** The photos of the tiny world without red. */
let two: string
beforeAll(async () => {
  world = await tinyWorld()
  two = at('two')
  for (const name of ['blue', 'green']) await cp(join(world.photos, name), join(two, name), { recursive: true })
})
afterAll(() => world.remove())

const at = (...path: readonly string[]) => join(world.root, ...path)
const options = (out: string, method: string, changes: TrainOptions = {}): TrainOptions => ({
  ...{ model: world.model, cache: at('cache'), threads: 1, method, out: at('runs', out), testShare: 0 },
  ...changes,
})
const red = () => ({ pictures: join(world.photos, 'red'), cache: at('cache'), threads: 1 })

/** Probabilities as they are before the temperature, which is that of the classes that were judged. */
function plain(labels: readonly Label[], temperature: number): Label[] {
  const powers = labels.map(({ probability }) => probability ** temperature)
  const sum = powers.reduce((a, b) => a + b, 0)
  return labels.map(({ label }, i) => ({ label, probability: (powers[i] ?? 0) / sum }))
}

describe.each([
  ['class-mean', {}],
  ['tip-adapter', { search: false }],
])('%s', (method, settings) => {
  it('with a class added is what it is when it learns all of them', async () => {
    const [before, all] = [`${method}-two`, `${method}-all`]
    await train(two, options(before, method, { settings }))
    await train(world.photos, options(all, method, { settings }))
    const former = await readFile(at('runs', before, 'learned.safetensors'))
    const added = await addClass(at('runs', before), 'red', red())
    expect(added).toMatchObject({ classNames: ['blue', 'green', 'red'], pictures: 10 })
    expect(await readFile(added.former)).toEqual(former)
    const pictures = ['blue', 'green', 'red'].map((name) => join(world.photos, name, '3.png'))
    const [a, b] = await Promise.all(
      [before, all].map(async (run) => {
        const opened = await openRun(at('runs', run))
        const labels = await opened.classify(pictures).finally(() => opened.dispose())
        return labels.flatMap((each) => plain(each, opened.temperature))
      }),
    )
    expect(a?.map(({ label }) => label)).toEqual(b?.map(({ label }) => label))
    for (const [i, { probability }] of b?.entries() ?? []) expect(a?.[i]?.probability).toBeCloseTo(probability, 5)
    expect((await evaluateRun(at('runs', before), world.photos, { testShare: 1, cache: at('cache') })).tested).toBe(30)
  })

  it('needs pictures', async () => {
    await train(two, options(`${method}-bare`, method, { settings }))
    await expect(addClass(at('runs', `${method}-bare`), 'red')).rejects.toThrow(/learns a class from pictures of it/)
  })
})

it.each([
  ['zero-shot', {}],
  ['coop', { M: 2, epochs: 1 }],
  ['kgcoop', { epochs: 1 }],
])('%s takes a name alone, and the other classes stay what they are', async (method, settings) => {
  const run = `${method}-name`
  await train(two, options(run, method, { settings, shots: 1 }))
  const picture = join(two, 'blue', '1.png')
  const ratio = async () => {
    const opened = await openRun(at('runs', run))
    const [labels = []] = await opened.classify([picture])
    await opened.dispose()
    const of = (name: string) => labels.find(({ label }) => label === name)?.probability ?? Number.NaN
    return { ratio: of('blue') / of('green'), classes: labels.length }
  }
  const before = await ratio()
  expect((await addClass(at('runs', run), 'red')).pictures).toBe(0)
  const after = await ratio()
  expect([before.classes, after.classes]).toEqual([2, 3])
  expect(after.ratio / before.ratio).toBeCloseTo(1, 3)
})

it('says why a closed method cannot, and leaves the run as it was', async () => {
  const closed = METHODS.filter(({ addClass, transfers, settings }) => !addClass && !transfers(settings.parse({}))).map(
    ({ name }) => name,
  )
  expect(closed).toContain('linear-probe')
  await train(two, options('probe', 'linear-probe'))
  const ended = await coop('add', at('runs', 'probe'), 'red', join(world.photos, 'red'), '--json')
  expectFailure(ended, 2, /linear probe learned to tell its own classes apart together/)
  expect((await readdir(at('runs', 'probe'))).filter((name) => name.startsWith('learned'))).toEqual([
    'learned.safetensors',
  ])
})

it('refuses a name that is known, also in other letters, and never loses what was learned', async () => {
  await train(two, options('names', 'zero-shot'))
  await expect(addClass(at('runs', 'names'), 'Blue')).rejects.toThrow(/knows the class "blue" already/)
  const first = await addClass(at('runs', 'names'), 'red')
  const second = await addClass(at('runs', 'names'), 'violet')
  expect(first.former).not.toBe(second.former)
  // somebody goes back to the first file, and adds another class
  await rename(first.former, at('runs', 'names', 'learned.safetensors'))
  await writeFile(first.former, 'something else')
  const third = await addClass(at('runs', 'names'), 'pink')
  expect(await readFile(first.former, 'utf8')).toBe('something else')
  expect(third.former).toMatch(/learned-2-classes-2\.safetensors$/)
})
