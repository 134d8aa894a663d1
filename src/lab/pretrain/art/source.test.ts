import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileError, UsageError } from '../../../base/errors.ts'
import { facts } from './fixtures/facts.ts'
import { writeTokenizer } from './prepare.ts'
import { type RenderProgress, readSprites, renderSets } from './render.ts'
import { openArt } from './source.ts'
import type { Picture, PictureSet } from './types.ts'

const things = ['ball', 'sun', 'moon', 'coin', 'plate', 'wheel', 'button', 'pearl', 'bubble', 'planet', 'pea', 'dot']

function disc(set: string, label: string, i: number): Picture {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="rgb(${200 + i},30,40)"/></svg>`
  const tones: number[] = []
  const over = {
    id: `${set}/${label}`,
    set,
    style: set,
    label,
    concept: label,
    section: 'objects',
    tones,
    keywords: ['round'],
  }
  return { ...facts(over), subgroup: 'other-object', palette: set === 'noto', source: { svg } }
}

const sets: PictureSet[] = ['noto', 'emojione-monotone'].map((set) => ({
  name: set,
  pictures: things.map((label, i) => disc(set, label, i)),
  leftOut: 0,
}))

let folder = ''
const reports: RenderProgress[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'art-'))
  const broken: Picture = { ...disc('noto', 'broken', 0), source: { svg: '<svg' } }
  const [noto, other] = sets
  await renderSets([{ ...noto!, pictures: [...noto!.pictures, broken] }, other!], folder, (it) => reports.push(it))
  await writeTokenizer(sets, folder, 60)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('renderSets', () => {
  test('names what does not render and keeps the rest', async () => {
    expect(reports.map(({ pictures, failed, kept }) => [pictures, failed, kept])).toEqual([
      [12, 1, false],
      [12, 0, false],
    ])
    const sprites = await readSprites(folder)
    expect(sprites).toHaveLength(24)
    const [ball] = sprites
    const centre = (40 * 80 + 40) * 4
    expect([...ball!.pixels.subarray(centre, centre + 4)]).toEqual([200, 30, 40, 255])
    expect([...ball!.pixels.subarray(0, 4)]).toEqual([0, 0, 0, 0])
    expect(sprites[12]!.pixels).toHaveLength(80 * 80)
  })

  test('keeps finished sets, with what is newly known of them', async () => {
    const again: RenderProgress[] = []
    const renamed = { ...sets[1]!, pictures: sets[1]!.pictures.map((one) => ({ ...one, keywords: ['disc'] })) }
    const other = await mkdtemp(join(tmpdir(), 'art-'))
    await renderSets([sets[1]!], other)
    await renderSets([renamed], other, (progress) => again.push(progress))
    expect(again.map(({ kept }) => kept)).toEqual([true])
    expect((await readSprites(other)).every(({ facts: { keywords } }) => keywords[0] === 'disc')).toBe(true)

    const file = join(other, 'emojione-monotone.pixels')
    await writeFile(file, (await readFile(file)).subarray(1))
    await expect(readSprites(other)).rejects.toThrow(FileError)
    await rm(join(other, 'sets.json'))
    await expect(readSprites(other)).rejects.toThrow(/no prepared training pictures/)
    await rm(other, { recursive: true })
  })
})

describe('openArt', { timeout: 30_000 }, () => {
  test('gives rows bucket by bucket, one concept a row, the same for the same step', async () => {
    const art = await openArt(folder)
    expect([art.pictures, art.conceptCount]).toEqual([24, 12])
    const { pixels, captions, concepts } = art.batch(1, 5, 8, [10, 30])
    expect(pixels).toHaveLength(8 * 3 * 64 * 64)
    expect(new Set(concepts).size).toBe(8)
    for (const [row, ids] of captions.entries()) {
      expect(ids.length).toBeLessThanOrEqual(row < 4 ? 10 : 30)
      expect([ids[0], ids.at(-1)]).toEqual([art.tokenizer.startToken, art.tokenizer.endToken])
    }
    const again = art.batch(1, 5, 8, [10, 30])
    expect([again.captions, again.concepts]).toEqual([captions, concepts])
    const bytes = ({ buffer }: Float32Array) => Buffer.from(buffer)
    expect(bytes(again.pixels).equals(bytes(pixels))).toBe(true)
    expect(bytes(art.batch(1, 6, 8, [10, 30]).pixels).equals(bytes(pixels))).toBe(false)
    expect(art.batch(2, 5, 8, [10, 30]).captions).not.toEqual(captions)
  })

  test('more rows than concepts repeat concepts; unequal buckets are refused', async () => {
    const art = await openArt(folder)
    expect(new Set(art.batch(1, 0, 16, [16]).concepts).size).toBe(12)
    expect(() => art.batch(1, 0, 9, [8, 16])).toThrow(UsageError)
  })
})
