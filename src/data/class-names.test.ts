import { expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { checkDistinctClasses, distinctNames, placesAmong } from './class-names.ts'

const known = ['missile', 'sunglasses', 'cat', 'sunglasses']

it('placesAmong pairs equal names in their order', () => {
  expect(placesAmong(known, known)).toEqual([0, 1, 2, 3])
  expect(placesAmong(known, ['sunglasses', 'dog', 'sunglasses', 'cat', 'sunglasses'])).toEqual([1, -1, 3, 2, 1])
  expect(placesAmong(['a'], [])).toEqual([])
})

it('distinctNames counts equal names', () => {
  expect(distinctNames(known)).toEqual(['missile', 'sunglasses', 'cat', 'sunglasses (2)'])
})

it('placesAmong takes names of the same words for the same class, the same spelling first', () => {
  const own = ['car side', '2 0 1 2 audi s 4', "jack - o '- lantern", 'caf\u00e9', 'Cat', 'cat']
  expect(placesAmong(own, ['cafe\u0301', 'cat', "Jack-o'-Lantern", 'Car_Side', '2012 Audi S4', 'Cat'])).toEqual([
    3, 5, 2, 0, 1, 4,
  ])
  expect(placesAmong(['crane', 'm2', 'crane'], ['Crane', 'm\u00b2', 'Crane'])).toEqual([0, 1, 2])
  expect(placesAmong(['dog'], ['Dog', 'dog'])).toEqual([0, 0])
})

it('checkDistinctClasses lets two classes have the very same name, but not two spellings of one', () => {
  expect(() => checkDistinctClasses('list', ['crane', 'dog', 'crane'], '')).not.toThrow()
  for (const other of ['Crane', 'crane ', 'crane\u00a0']) {
    expect(() => checkDistinctClasses('list', ['crane', 'dog', other], '')).toThrow(FileError)
  }
})
