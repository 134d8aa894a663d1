import { describe, expect, it } from 'vitest'
import { nearestWord } from './spelling.ts'

describe('nearestWord', () => {
  const known = ['shots', 'seeds', 'methods', 'classSpecific', 'position']
  it.each([
    ['shot', 'shots'],
    ['sedes', 'seeds'],
    ['classspecific', 'classSpecific'],
    ['class_specific', 'classSpecific'],
    ['postion', 'position'],
    ['sohts', 'shots'],
  ])('takes %s for %s', (typed, meant) => expect(nearestWord(typed, known)).toBe(meant))

  it('takes two letters that changed places for one slip', () => {
    expect(nearestWord('bset', ['bundled', 'fast', 'good', 'best'])).toBe('best')
    expect(nearestWord('bxet', ['bundled', 'fast', 'good', 'best'])).toBeUndefined()
  })

  it.each(['learningRate', 'x', ''])('knows nothing near %j', (typed) =>
    expect(nearestWord(typed, known)).toBeUndefined(),
  )
})
