import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../data/items.ts'
import { readImageFolder } from '../datasets/folder.ts'
import { readSavedRun } from '../runs/saved-run.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
  await coop(...train(world.photos, 'run', '--test-share', '0.3'))
  await coop(...train(world.photos, 'specific', '--class-specific', '--test-share', '0.3'))
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']
const train = (data: string, run: string, ...more: readonly string[]) => {
  const settings = ['--model', world.model, '--shots', '2', '--epochs', '3', '--context-length', '2', '--views', '0']
  return ['train', data, ...settings, ...common(), '--out', at(run), ...more]
}
const ask = async (...words: readonly string[]) => onlyJson(await coop(...words, ...common()))

describe('a data set', () => {
  it('is the same as a folder and as lists, with its split', async () => {
    const { classNames, ...parts } = await readImageFolder(world.photos)
    const rows = (['train', 'val', 'test'] as const).flatMap((split) =>
      parts[split].map(({ path, label }: Item) => ({
        path: relative(world.root, path),
        label: classNames[label],
        split,
      })),
    )
    await writeFile(at('list.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
    const lines = rows.map(({ path, label, split }) => `${split},"${path}",${label}`)
    await writeFile(at('list.csv'), ['split,path,label', ...lines].join('\r\n'))
    const expected = await ask('evaluate', at('run'), world.photos)
    expect(await ask('evaluate', at('run'), at('list.csv'))).toEqual(expected)
    expect(await ask('evaluate', at('run'), at('list.jsonl'))).toEqual(expected)
    expect((await coop(...train(at('list.csv'), 'run of list'))).status).toBe(0)
    const learned = async (run: string) => (await readSavedRun(at(run))).tensors
    expect(await learned('run of list')).toEqual(await learned('run'))
  })

  it('of the paper comes with its own prompt and its own draw', async () => {
    await cp(world.photos, at('data/dtd/images'), { recursive: true })
    const entries = ['blue', 'green', 'red'].flatMap((name, label) =>
      Array.from({ length: 10 }, (_, i) => [`${name}/${i}.png`, label, name] as const),
    )
    const part = (from: number, to: number) => entries.filter((_, i) => i % 10 >= from && i % 10 < to)
    const split = { train: part(0, 4), val: part(4, 6), test: part(6, 10) }
    await writeFile(at('data/dtd/split_zhou_DescribableTextures.json'), JSON.stringify(split))
    expect((await coop(...train('dtd', 'run of dtd', '--root', at('data')))).status).toBe(0)
    const written = JSON.parse(await readFile(at('run of dtd/settings.json'), 'utf8'))
    expect(written).toMatchObject({ classNames: ['blue', 'green', 'red'], templates: ['{} texture.'] })
    const named = await ask('zero-shot', 'dtd', '--root', at('data'), '--model', world.model)
    const words = ['zero-shot', 'dtd', '--root', at('data'), '--model', world.model, '--template', '{} texture.']
    expect(await ask(...words)).toEqual(named)
  })

  it('that names an image which is not there is refused before any work, by its line', async () => {
    await writeFile(
      at('missing.csv'),
      'path,label\nphotos/red/1.png,red\nphotos/red/77.png,red\nphotos/blue/1.png,blue\n',
    )
    expectFailure(await coop(...train(at('missing.csv'), 'x')), 1, /missing\.csv:3: image file not found: .*77\.png/)
    const split = JSON.parse(await readFile(at('data/dtd/split_zhou_DescribableTextures.json'), 'utf8'))
    split.test[1][0] = 'blue/77.png'
    await mkdir(at('data2'))
    await cp(at('data/dtd'), at('data2/dtd'), { recursive: true })
    await writeFile(at('data2/dtd/split_zhou_DescribableTextures.json'), JSON.stringify(split))
    expectFailure(
      await coop(...train('dtd', 'x', '--root', at('data2'))),
      1,
      /1 of 24 images was not found:\n.*blue.77\.png/,
    )
  })

  it('that is none is refused with all that can be given', async () => {
    expectFailure(await coop('zero-shot', 'oxford_pet', ...common()), 1, /not a data set .*did you mean oxford_pets/)
    expectFailure(
      await coop('zero-shot', at('list.csv'), '--label-column', 'x', ...common()),
      1,
      /no column for the labels/,
    )
  })
})

describe('evaluate --transfer', () => {
  it('uses one context with other class names', async () => {
    await cp(join(world.photos, 'red'), at('zoo/fox'), { recursive: true })
    await cp(join(world.photos, 'blue'), at('zoo/whale'), { recursive: true })
    expectFailure(await coop('evaluate', at('run'), at('zoo'), ...common()), 2, /did not learn: fox, whale/)
    const found = await ask('evaluate', at('run'), at('zoo'), '--transfer')
    expect(found).toMatchObject({
      accuracy: expect.any(Number),
      perClass: { fox: expect.any(Number), whale: expect.any(Number) },
    })
  })

  it('with the same names is no other thing', async () => {
    const words = ['evaluate', at('run'), world.photos]
    expect(await ask(...words, '--transfer')).toEqual(await ask(...words))
  })

  it('is refused for a context of each class', async () => {
    const ended = await coop('evaluate', at('specific'), at('zoo'), '--transfer', ...common())
    expectFailure(ended, 2, /a context for each of its classes/)
  })
})

describe('words', () => {
  const vectors = (top: number) =>
    [1, 2].map((vector) => ({
      vector,
      words: Array.from({ length: top }, () =>
        expect.objectContaining({ word: expect.any(String), distance: expect.any(Number) }),
      ),
    }))
  const words = async (...more: readonly string[]) => onlyJson(await coop('words', ...more, '--threads', '1', '--json'))

  it('of one context, a row a vector', async () => {
    expect(await words(at('run'), '--top', '3', '--all-tokens')).toEqual({ contexts: [{ vectors: vectors(3) }] })
    const table = await coop('words', at('run'), '--all-tokens', '--threads', '1')
    expect(table.stdout).toMatch(
      /^Learned vectors .*hyphen marks pieces of words\.\n\n1 +\S+ +\d\.\d{4}\n2 +\S+ +\d\.\d{4}\n$/,
    )
  })

  it('of a context for each class, a block a class', async () => {
    const contexts = ['blue', 'green', 'red'].map((className) => ({ className, vectors: vectors(1) }))
    expect(await words(at('specific'), '--all-tokens')).toEqual({ contexts })
    const { stdout } = await coop('words', at('specific'), '--all-tokens', '--threads', '1')
    expect(stdout).toMatch(/\n\nblue\n1 .*\n2 .*\n\ngreen\n1 .*\n2 .*\n\nred\n/)
  })

  it('of no run, or with another model', async () => {
    expectFailure(await coop('words', at('nowhere'), '--json'), 1, /is not a run folder/)
    const other = await coop('words', at('run'), '--model', world.otherModel, '--threads', '1', '--json')
    expectFailure(other, 1, /was learned with another model/)
  })
})
