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
  ])('takes %s for %s', (typed, meant) => expect(nearestWord(typed, known)).toBe(meant))

  it.each(['learningRate', 'x', ''])('knows nothing near %j', (typed) =>
    expect(nearestWord(typed, known)).toBeUndefined(),
  )
})
