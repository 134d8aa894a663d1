import { expect, it } from 'vitest'
import { distinctNames, placesAmong } from './class-places.ts'

const known = ['missile', 'sunglasses', 'cat', 'sunglasses']

it('placesAmong pairs equal names in their order', () => {
  expect(placesAmong(known, known)).toEqual([0, 1, 2, 3])
  expect(placesAmong(known, ['sunglasses', 'dog', 'sunglasses', 'cat', 'sunglasses'])).toEqual([1, -1, 3, 2, 1])
  expect(placesAmong(['a'], [])).toEqual([])
})

it('distinctNames counts equal names', () => {
  expect(distinctNames(known)).toEqual(['missile', 'sunglasses', 'cat', 'sunglasses (2)'])
})
