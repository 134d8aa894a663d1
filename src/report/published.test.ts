import { expect, it } from 'vitest'
import { exampleRecord } from '../testing/example-records.ts'
import { approximations } from './published.ts'

it('beside a published linear probe it is said that ours goes to the optimum, unless it stops as the official one', () => {
  const notes = (settings: Record<string, unknown>) =>
    approximations(exampleRecord({ method: 'linear-probe', settings })).join()
  expect(notes({ solver: 'exact' })).toMatch(/goes to its optimum; the published ones ended where scikit-learn's/)
  expect(notes({})).toMatch(/goes to its optimum/)
  expect(notes({ solver: 'lpclip' })).not.toMatch(/optimum/)
})
