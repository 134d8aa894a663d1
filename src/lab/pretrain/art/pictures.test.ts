import { describe, expect, test } from 'vitest'
import { heldOutStyles } from '../../demo/held-out.ts'
import { loadEmoji, loadEmojiNames, squeeze } from './emoji.ts'
import { loadIconSet } from './iconify.ts'
import { listPictureSet, trainingSets } from './pictures.ts'

describe('training sets', { timeout: 60_000 }, () => {
  test('no held-out style is among them', () => {
    const packages = trainingSets.map(({ set }) => `@iconify-json/${set}`)
    for (const held of Object.values(heldOutStyles)) expect(packages).not.toContain(held)
    expect(packages.filter((name) => /fluent|openmoji|emojione-v1|streamline/.test(name))).toEqual([])
  })

  test('emoji sets have labels, subgroups and tones', async () => {
    const { pictures, leftOut } = await listPictureSet('emojione')
    expect(pictures.length).toBeGreaterThan(1700)
    expect(leftOut).toBeLessThan(80)
    expect(pictures.find(({ id }) => id === 'emojione/raccoon')).toBeUndefined()
    expect(pictures.find(({ id }) => id === 'emojione/police-officer-medium-dark-skin-tone')).toMatchObject({
      label: 'police officer',
      subgroup: 'person-role',
      section: 'people-body',
      tones: [4],
      palette: true,
      flippable: true,
    })
    const hand = pictures.find(({ id }) => id === 'emojione/backhand-index-pointing-left')
    expect(hand?.flippable).toBe(false)
  })

  test('icon sets drop letters, brands and interface parts, and know outlines from solids', async () => {
    const { pictures } = await listPictureSet('mdi')
    const byName = new Map(pictures.map((picture) => [picture.id.slice(4), picture]))
    expect(byName.get('airplane')).toMatchObject({ style: 'solid', subgroup: 'transport-air', palette: false })
    expect(byName.get('bell-outline')).toMatchObject({ style: 'line', label: 'bell', concept: 'bell' })
    for (const name of ['numeric-1', 'github', 'format-bold', 'arrow-left']) expect(byName.has(name)).toBe(false)
  })
})

describe('emoji', { timeout: 60_000 }, () => {
  test('names lead to codes, with and without skin tones', async () => {
    const names = await loadEmojiNames(await loadEmoji())
    expect(names.get(squeeze('Red Apple'))).toBe('1F34E')
    expect(names.get(squeeze('woman-cook-medium-skin-tone'))).toBe('1F469-1F3FD-200D-1F373')
  })
})

describe('loadIconSet', { timeout: 60_000 }, () => {
  test('draws in the set’s own box and follows aliases', async () => {
    const { icons, nameOf, codes, palette } = await loadIconSet('twemoji')
    expect(icons.get('dog')?.svg).toContain('viewBox="0 0 36 36"')
    expect(codes.get('1F415')).toBe('dog')
    expect(nameOf('no such icon')).toBeUndefined()
    expect(palette).toBe(true)
  })

  test('a set that is not installed is a clear error', async () => {
    await expect(loadIconSet('no-such-set')).rejects.toThrow(/not installed/)
  })
})
