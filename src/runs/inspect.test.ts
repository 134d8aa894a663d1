import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { inspectRun } from './inspect.ts'
import { train } from './train.ts'

let world: TinyWorld
const at = (...path: readonly string[]) => join(world.root, ...path)
const given = () => ({ cache: at('cache'), threads: 1 })
beforeAll(async () => {
  world = await tinyWorld(12)
  for (const name of ['blue', 'green', 'red']) {
    for (const part of ['train', 'test']) await mkdir(at('data', part, name), { recursive: true })
    for (let i = 0; i < 12; i++) {
      await copyFile(at('photos', name, `${i}.png`), at('data', i < 8 ? 'train' : 'test', name, `${i}.png`))
    }
  }
  // a green picture among the red ones that are learned from, and a test picture that was learned from
  await copyFile(at('photos', 'green', '1.png'), at('data', 'train', 'red', 'wrong.png'))
  await copyFile(at('photos', 'blue', '2.png'), at('data', 'test', 'blue', 'again.png'))
  const options = { ...given(), model: world.model, shots: 'all', settings: { epochs: 30 } } as const
  await train(at('data'), { ...options, method: 'linear-probe', settings: {}, out: at('probe') })
  await train(at('data'), { ...options, method: 'linear-probe', settings: {}, shots: 2, out: at('few') })
  await train(at('photos'), { ...options, method: 'class-mean', settings: {}, testShare: 0, out: at('untested') })
})
afterAll(() => world.remove())

describe('coop-ts inspect', () => {
  it('finds wrong labels and pictures both learned from and tested on, and writes one page', async () => {
    const ended = await coop('inspect', at('probe'), '--json', '--quiet', '--threads', '1', '--cache', at('cache'))
    expect(ended.status).toBe(0)
    const found = Object(onlyJson(ended))
    expect(found).toMatchObject({ run: 'probe', data: 'data', learnedFrom: 'these', page: at('probe', 'inspect.html') })
    expect(found.judged).toMatchObject({ part: 'test', seen: false, tested: 13 })
    const record = JSON.parse(await readFile(at('probe', 'results.json'), 'utf8'))
    expect(found.judged.accuracy).toBeCloseTo(record.accuracy, 10)
    expect(found.judged.zeroShot).toBeCloseTo(record.zeroShot, 10)
    expect(found.labels.map(({ file }: { file: string }) => file)).toContain('train/red/wrong.png')
    const same = found.duplicates.filter((group: { same: boolean }) => group.same)
    const names = same.map(({ pictures }: { pictures: { file: string }[] }) => pictures.map(({ file }) => file).sort())
    expect(names).toContainEqual(['test/blue/again.png', 'train/blue/2.png'])
    expect(names).toContainEqual(['train/green/1.png', 'train/red/wrong.png'])
    expect(found.duplicates[0]).toMatchObject({ acrossParts: true })

    const page = await readFile(found.page, 'utf8')
    expect(page).not.toMatch(/<script|<link|\ssrc=|@import|(?<!xmlns=")https?:/)
    expect(page).not.toContain(world.root)
    expect(page).toContain("default-src 'none'")
    expect([...page.matchAll(/url\((?!data:image\/webp;base64,)/g)]).toEqual([])
    for (const { file } of found.labels) expect(page).toContain(`<small>${file}</small>`)
    expect(page).toContain(`${(100 * record.accuracy).toFixed(1)} %`)
  })

  it('looks at the few pictures that a run learned from, and at all that it is tested on', async () => {
    const { pictures, learnedFrom } = await inspectRun(at('few'), given())
    expect(learnedFrom).toBe('these')
    expect(pictures.filter(({ part }) => part === 'train')).toHaveLength(6)
    expect(pictures.filter(({ part }) => part === 'test')).toHaveLength(13)
  })

  it('works on the training pictures of a run without test pictures, and says that it has seen them', async () => {
    const ended = await coop('inspect', at('untested'), '--quiet', '--threads', '1', '--cache', at('cache'))
    expect(ended).toMatchObject({ status: 0, stderr: '' })
    expect(ended.stdout).toMatch(
      /^The run is right on [\d.]+ % of 36 pictures it has seen, .*there are no test pictures/,
    )
    expect(await readFile(at('untested', 'inspect.html'), 'utf8')).toContain('It has learned from these very pictures')
  })

  it('takes other pictures as new to the run', async () => {
    const { judged, learnedFrom, pictures } = await inspectRun(at('untested'), { ...given(), data: at('data') })
    expect(learnedFrom).toBe('none')
    expect(judged).toMatchObject({ part: 'test', seen: false, tested: 13 })
    expect(pictures).toHaveLength(13)
  })

  it('says what has changed since the run learned', async () => {
    await copyFile(at('photos', 'red', '9.png'), at('data', 'train', 'red', 'new.png'))
    const { learnedFrom } = await inspectRun(at('probe'), given())
    expect(learnedFrom).toBe('changed')
    await rm(at('data', 'train', 'red', 'new.png'))
  })

  it('says where pictures were that are gone, and takes their new place', async () => {
    await rename(at('data'), at('moved'))
    const ended = await coop('inspect', at('probe'), '--json', '--quiet')
    expectFailure(ended, 1, /pictures that .*probe learned from are no longer at .*data/)
    const { learnedFrom } = await inspectRun(at('probe'), { ...given(), data: at('moved') })
    expect(learnedFrom).toBe('these')
    await rename(at('moved'), at('data'))
  })

  it('leaves out a damaged picture when told so', async () => {
    await writeFile(at('data', 'test', 'red', 'damaged.png'), 'not a picture')
    await expect(inspectRun(at('probe'), given())).rejects.toThrow('damaged.png')
    const { pictures } = await inspectRun(at('probe'), { ...given(), skipBadImages: true, out: at('skipped.html') })
    expect(pictures.filter(({ part }) => part === 'test')).toHaveLength(13)
    await rm(at('data', 'test', 'red', 'damaged.png'))
  })

  it('is one group of the same picture where all pictures are equal', async () => {
    for (const name of ['blue', 'green', 'red']) {
      await mkdir(at('equal', name), { recursive: true })
      for (const i of [1, 2]) await copyFile(at('photos', 'red', '1.png'), at('equal', name, `${i}.png`))
    }
    const found = await inspectRun(at('probe'), { ...given(), data: at('equal'), testShare: 1, out: at('equal.html') })
    expect(found.duplicates).toHaveLength(1)
    expect(found.duplicates[0]).toMatchObject({ same: true, differentLabels: true })
    expect(found.duplicates[0]?.pictures).toHaveLength(6)
    expect(found.judged.accuracy).toBeCloseTo(1 / 3)
    expect(await readFile(at('equal.html'), 'utf8')).not.toMatch(/NaN|Infinity|undefined/)
  })

  it('writes over no file of another kind, and stops when it is told to', async () => {
    const ended = await coop('inspect', at('probe'), '--out', at('data', 'test', 'red', '9.png'), '--json')
    expectFailure(ended, 2, /HTML file/)
    expect((await stat(at('data', 'test', 'red', '9.png'))).size).toBeLessThan(2000)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(inspectRun(at('probe'), { ...given(), out: at('stopped.html') }, { signal })).rejects.toThrow('enough')
    await expect(stat(at('stopped.html'))).rejects.toThrow()
  })

  it('goes with its run when that is learned again', async () => {
    await coop('inspect', at('few'), '--quiet', '--threads', '1', '--cache', at('cache'))
    const { size } = await stat(at('few', 'inspect.html'))
    expect(size).toBeGreaterThan(10_000)
    await train(at('data'), {
      ...given(),
      model: world.model,
      method: 'class-mean',
      shots: 1,
      force: true,
      out: at('few'),
    })
    await expect(stat(at('few', 'inspect.html'))).rejects.toThrow()
  })

  it('says what is no run', async () => {
    expectFailure(await coop('inspect', at('data'), '--json'), 1, /not a run folder/)
  })
})
